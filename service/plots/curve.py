"""The training curve: train loss, train accuracy and test accuracy over the epochs."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO

from matplotlib.ticker import MaxNLocator

from service.plots.palette import FAINT, INDIGO, INK, MADDER, OCHRE
from service.plots.style import new_figure, plain, save


def curve_picture(history: Sequence[dict[str, Any]], target: Path | BinaryIO) -> None:
    """Draw a run's epochs; each has `epoch` (from 1), `train_loss`, `train_accuracy`, and maybe `test_accuracy`."""
    figure = new_figure(7.2, 3.4)
    left, right = figure.subplots(1, 2, width_ratios=(1, 1))
    epochs = [entry["epoch"] for entry in history]
    _line(left, epochs, [entry["train_loss"] for entry in history], MADDER, "train loss", "{:.3f}")
    _line(right, epochs, [entry["train_accuracy"] for entry in history], INDIGO, "train accuracy", "{:.1%}")
    tested = [entry for entry in history if entry.get("test_accuracy") is not None]
    if tested:
        values = [entry["test_accuracy"] for entry in tested]
        _line(right, [entry["epoch"] for entry in tested], values, OCHRE, "test accuracy", "{:.1%}")
        right.legend(frameon=False, fontsize=9, labelcolor=INK, loc="lower right")
    left.set_title("loss", loc="left", fontsize=10, color=INK)
    right.set_title("accuracy", loc="left", fontsize=10, color=INK)
    left.set_ylim(bottom=0)
    right.set_ylim(0, 1)
    for axes in (left, right):
        plain(axes)
        axes.grid(axis="y", color=FAINT, linewidth=0.6)
        axes.set_axisbelow(True)
        axes.set_xlabel("epoch", fontsize=9, color=INK)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=8))
    save(figure, target)


def _line(axes: Any, x: list[float], y: list[float], color: str, label: str, form: str) -> None:
    axes.plot(x, y, color=color, linewidth=2, marker="o", markersize=3.5, label=f"{label} {form.format(y[-1])}")
