"""A run in Markdown: its curve so far and its results, for people who look at it later."""

from base64 import b64encode
from collections.abc import Sequence

from service.plots.live_curve import live_curve
from service.registry import ModelVersion
from service.runs import Entry
from service.training.metrics import Evaluation


def markdown_curve(epochs: Sequence[Entry]) -> str:
    """How a run goes, as a picture; `epochs` are the `epoch` entries of its log."""
    numbered = [{**entry, "epoch": entry["epoch"] + 1} for entry in epochs]
    return f"![train loss and accuracy]({_data_uri(live_curve(numbered).encode(), 'svg+xml')})\n"


def markdown_report(model: ModelVersion, evaluation: Evaluation, gallery: str = "") -> str:
    """Figures, curves, confusion matrix and a line for each class. Pictures are inside, as data URIs.

    gallery: where the models are shown, e.g. `http://localhost:7070`; empty leaves the link out.
    """
    metrics = model.metrics
    classes = "\n".join(
        f"| {c.name} | {c.support:,} | {c.precision:.3f} | {c.recall:.3f} | {c.f1:.3f} |" for c in evaluation.classes
    )
    held = metrics.get("validation_accuracy")
    validation = "" if held is None else f"\nAccuracy on the training examples that were kept out: {held:.4f}\n"
    link = f"\n[See it, try it and compare it in the gallery]({gallery}/models/{model.name}/{model.version})\n"
    return f"""# {model.name} version {model.version}
{link if gallery else ""}
| train loss | train accuracy | test loss | test accuracy | calibration error |
|---|---|---|---|---|
| {metrics["train_loss"]:.4f} | {metrics["train_accuracy"]:.4f} | {evaluation.loss:.4f} | {evaluation.accuracy:.4f} \
| {evaluation.calibration_error:.4f} |
{validation}
![training curve]({_data_uri(model.read_file("curve.png"), "png")})

![confusion matrix]({_data_uri(model.read_file("confusion.png"), "png")})

| class | examples | precision | recall | f1 |
|---|---|---|---|---|
{classes}

Run `{model.lineage["run"]}`, parameters `{model.lineage["parameters"]}`.
"""


def _data_uri(content: bytes, kind: str) -> str:
    return f"data:image/{kind};base64,{b64encode(content).decode()}"
