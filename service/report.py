"""A finished run told in Markdown, pictures included, for people who look at it later."""

from base64 import b64encode
from pathlib import Path

from service.evaluation import Evaluation
from service.registry import ModelVersion


def markdown_report(model: ModelVersion, evaluation: Evaluation) -> str:
    """Figures, curves, confusion matrix and a line for each class. Pictures are inside, as data URIs."""
    metrics = model.metrics
    classes = "\n".join(
        f"| {c.name} | {c.support:,} | {c.precision:.3f} | {c.recall:.3f} | {c.f1:.3f} |" for c in evaluation.classes
    )
    return f"""# {model.name} version {model.version}

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
