"""The training curve: the train loss and all accuracies over the epochs."""

from pathlib import Path
from typing import Any, BinaryIO

from matplotlib.ticker import MaxNLocator

from ops.charts import Chart
from ops.palette import FAINT, INDIGO, INK, MADDER, MOSS, OCHRE
from service.plots.charts import Epochs, accuracy_chart, loss_chart
from service.plots.style import new_figure, plain, save


def curve_picture(history: Epochs, target: Path | BinaryIO) -> None:
    """Draw a run's epochs; each has `epoch` (from 1), `train_loss`, `train_accuracy`, and maybe others."""
    figure = new_figure(7.2, 3.4)
    left, right = figure.subplots(1, 2, width_ratios=(1, 1))
    loss, accuracy = loss_chart(history), accuracy_chart(history)
    _draw(left, loss, "loss", (MADDER,), "{:.3f}")
    _draw(right, accuracy, "accuracy", (INDIGO, OCHRE, MOSS), "{:.1%}")
    if len(accuracy.lines) > 1:
        right.legend(frameon=False, fontsize=9, labelcolor=INK, loc="lower right")
    save(figure, target)


def _draw(axes: Any, chart: Chart, title: str, colors: tuple[str, ...], form: str) -> None:
    for line, color in zip(chart.lines, colors, strict=False):
        label = f"{line.name} {form.format(line.last)}"
        axes.plot(*zip(*line.points, strict=True), color=color, linewidth=2, marker="o", markersize=3.5, label=label)
    axes.set_title(title, loc="left", fontsize=10, color=INK)
    axes.set_ylim(0, chart.y_max)
    plain(axes)
    axes.grid(axis="y", color=FAINT, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.set_xlabel("epoch", fontsize=9, color=INK)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=8))
