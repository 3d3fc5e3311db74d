"""A run told in Markdown: its curve so far, and what came out, for people who look at it later."""

from base64 import b64encode
from collections.abc import Sequence
from pathlib import Path

from service.evaluation import Evaluation
from service.registry import ModelVersion
from service.runs import Entry


def live_curve(epochs: Sequence[Entry]) -> str:
    """Train accuracy and loss over the epochs of a round log, as two Mermaid charts."""
    numbers = ", ".join(str(entry["epoch"] + 1) for entry in epochs)
    accuracy = ", ".join(f"{100 * entry['train_accuracy']:.2f}" for entry in epochs)
    loss = ", ".join(f"{entry['train_loss']:.4f}" for entry in epochs)
    highest = max(entry["train_loss"] for entry in epochs)
    return f"""```mermaid
xychart-beta
    title "train accuracy, %"
    x-axis [{numbers}]
    y-axis 0 --> 100
    line [{accuracy}]
```

```mermaid
xychart-beta
    title "train loss"
    x-axis [{numbers}]
    y-axis 0 --> {1.05 * highest:.4f}
    line [{loss}]
```
"""


def markdown_report(model: ModelVersion, evaluation: Evaluation, gallery: str = "") -> str:
    """Figures, curves, confusion matrix and a line for each class. Pictures are inside, as data URIs.

    gallery: where the models are shown, e.g. `http://localhost:7070`; empty leaves the link out.
    """
    metrics = model.metrics
    classes = "\n".join(
        f"| {c.name} | {c.support:,} | {c.precision:.3f} | {c.recall:.3f} | {c.f1:.3f} |" for c in evaluation.classes
    )
    link = f"\n[See it, try it and compare it in the gallery]({gallery}/models/{model.name}/{model.version})\n"
    return f"""# {model.name} version {model.version}
{link if gallery else ""}
| train loss | train accuracy | test loss | test accuracy | calibration error |
|---|---|---|---|---|
| {metrics["train_loss"]:.4f} | {metrics["train_accuracy"]:.4f} | {evaluation.loss:.4f} | {evaluation.accuracy:.4f} \
| {evaluation.calibration_error:.4f} |

![training curve]({_data_uri(model.path / "curve.png")})

![confusion matrix]({_data_uri(model.path / "confusion.png")})

| class | examples | precision | recall | f1 |
|---|---|---|---|---|
{classes}

Run `{model.lineage["run"]}`, parameters `{model.lineage["parameters"]}`.
"""


def _data_uri(path: Path) -> str:
    return f"data:image/png;base64,{b64encode(path.read_bytes()).decode()}"
