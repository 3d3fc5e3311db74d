"""A run in Markdown: its curve so far and its results, for people who look at it later."""

from base64 import b64encode
from collections.abc import Mapping, Sequence

from service.plots.live_curve import live_curve
from service.registry import ModelVersion
from service.runs import Entry
from service.training.epoch_scores import EpochScores
from service.training.metrics import Evaluation

BLANK = "\n\n"


def markdown_curve(epochs: Sequence[Entry], scores: Mapping[int, EpochScores]) -> str:
    """How a run goes, as a picture.

    Args:
        epochs: the `epoch` entries of its log.
        scores: the figures of the epochs that were evaluated so far.
    """
    numbered = [{**entry, **_live_values(scores.get(entry["epoch"])), "epoch": entry["epoch"] + 1} for entry in epochs]
    return f"![loss and accuracy]({_data_uri(live_curve(numbered).encode(), 'svg+xml')})\n"


def _live_values(scores: EpochScores | None) -> dict[str, float]:
    found = {"test": scores.test, "validation": scores.validation} if scores else {}
    measured = {name: score for name, score in found.items() if score}
    losses = {f"{name}_loss": score.loss for name, score in measured.items()}
    return losses | {f"{name}_accuracy": score.accuracy for name, score in measured.items()}


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
{"".join(f"> **Warning:** {warning}{BLANK}" for warning in model.warnings)}\
| train loss | train accuracy | test loss | test accuracy | balanced accuracy | calibration error |
|---|---|---|---|---|---|
| {metrics["train_loss"]:.4f} | {metrics["train_accuracy"]:.4f} | {evaluation.loss:.4f} | {evaluation.accuracy:.4f} \
| {evaluation.balanced_accuracy:.4f} | {evaluation.calibration_error:.4f} |
{validation}
![training curve]({_data_uri(model.read_file("curve.png"), "png")})

![confusion matrix]({_data_uri(model.read_file("confusion.png"), "png")})

{_reliability(model)}
| class | examples | precision | recall | f1 |
|---|---|---|---|---|
{classes}

Run `{model.lineage["run"]}`, parameters `{model.lineage["parameters"]}`.
"""


def _reliability(model: ModelVersion) -> str:
    """The reliability diagram, which versions from before lack."""
    name = "reliability.png"
    return f"![reliability diagram]({_data_uri(model.read_file(name), 'png')})\n" if name in model.files else ""


def _data_uri(content: bytes, kind: str) -> str:
    return f"data:image/{kind};base64,{b64encode(content).decode()}"
