"""The reliability diagram: how often a model is right, by how sure it is (Guo et al., 2017, figure 1)."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

from ops.palette import FAINT, INDIGO, INK, MADDER
from service.plots.style import new_figure, plain, save


def reliability_picture(bins: Sequence[Mapping[str, Any]], error: float, target: Path | BinaryIO) -> None:
    """Draw the accuracy of each interval of confidence, and how far it is from the mean confidence there.

    Args:
        bins: intervals of equal width over [0, 1], each with `count`, `confidence` and `accuracy`.
        error: the expected calibration error.
        target: where to.
    """
    figure = new_figure(4.6, 4.2)
    axes = figure.add_subplot()
    plain(axes)
    width = 1 / len(bins)
    for number, found in enumerate(bins):
        if found["count"]:
            middle, accuracy, confidence = (number + 0.5) * width, found["accuracy"], found["confidence"]
            axes.bar(middle, accuracy, width * 0.92, color=INDIGO)
            axes.bar(middle, confidence - accuracy, width * 0.92, bottom=accuracy, color=MADDER, alpha=0.35)
    axes.plot([0, 1], [0, 1], color=FAINT, linestyle="--", linewidth=1.4)
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1)
    axes.set_xlabel("confidence", fontsize=9, color=INK)
    axes.set_ylabel("accuracy", fontsize=9, color=INK)
    axes.text(0.03, 0.94, f"expected calibration error {error:.3f}", fontsize=9, color=INK)
    save(figure, target)
