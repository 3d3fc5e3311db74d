"""Pictures of a training and of what was learned, drawn with Matplotlib, which is imported when one is drawn."""

from io import BytesIO
from math import ceil, sqrt
from typing import TYPE_CHECKING

import numpy as np

from ops.charts import Chart, Line, chart_of
from ops.errors import ShapeError
from ops.palette import FAINT, INK, LINES, PAPER

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

STYLES = ("-", "--", "-.", ":")
DOTS_PER_INCH = 144


class Curve:
    """A curve that grows while training runs: one line for each name, over the epochs.

    In a notebook the last expression of a cell, or `display(curve)`, shows it; `update` redraws it in place. Elsewhere
    `png()` is its picture and `gif()` shows how it grew.
    """

    def __init__(self, *names: str, x_label: str = "epoch", y_max: float | None = None) -> None:
        self.names = names
        self.x_label = x_label
        self.y_max = y_max
        self.points: list[tuple[float, tuple[float, ...]]] = []

    def add(self, x: float, *values: float) -> None:
        """One more point on each line, in the order of the names; x grows. Raises ShapeError for too few or many."""
        if len(values) != len(self.names):
            raise ShapeError(f"values must be {len(self.names)}, one for each of {self.names}, got {len(values)}")
        self.points.append((x, values))

    def update(self, x: float, *values: float) -> None:
        """`add`, and redraw in place if this is a notebook."""
        self.add(x, *values)
        try:
            from IPython import get_ipython
            from IPython.display import clear_output, display
        except ImportError:
            return
        if get_ipython() is not None:
            clear_output(wait=True)
            display(self)

    def chart(self, upto: int | None = None) -> Chart:
        """The lines and axes, with the first `upto` points or all."""
        shown = self.points[:upto]
        lines = [Line(name, tuple((x, values[i]) for x, values in shown)) for i, name in enumerate(self.names)]
        y_max = self.y_max or chart_of([Line("", tuple((x, max(values)) for x, values in self.points))]).y_max
        return chart_of(lines, y_max)

    def figure(self, upto: int | None = None) -> "Figure":
        """The curve as a Matplotlib figure, with the first `upto` points or all; both axes have room for all."""
        from matplotlib.figure import Figure
        from matplotlib.ticker import MaxNLocator

        figure = Figure(figsize=(5.6, 3.5), layout="constrained")
        axes = figure.subplots()
        whole = self.chart()
        for number, line in enumerate(self.chart(upto).lines):
            colour, style = LINES[number % len(LINES)], STYLES[number % len(STYLES)]
            axes.plot(*zip(*line.points, strict=True), style, color=colour, label=line.name, lw=2)
        if whole.lines:
            axes.set_xlim(*whole.x_range)
            axes.xaxis.set_major_locator(MaxNLocator(integer=True))
            axes.set_ylim(0, whole.y_max)
            axes.legend(frameon=False)
        _style(axes)
        axes.set_xlabel(self.x_label)
        return figure

    def png(self) -> bytes:
        """The curve as a PNG picture."""
        return png(self.figure())

    def gif(self, seconds_a_frame: float = 0.4) -> bytes:
        """The curve growing point by point, as an animated GIF that rests at its end. Needs a point at least."""
        from PIL import Image

        frames = [
            Image.open(BytesIO(png(self.figure(upto)))).convert("P", palette=Image.Palette.ADAPTIVE, colors=64)
            for upto in range(1, len(self.points) + 1)
        ]
        stream = BytesIO()
        durations = [int(1000 * seconds_a_frame)] * (len(frames) - 1) + [3000]
        frames[0].save(stream, "GIF", save_all=True, append_images=frames[1:], duration=durations, loop=0)
        return stream.getvalue()

    def _repr_png_(self) -> bytes:
        return self.png()


def images(pictures: np.ndarray, titles: tuple[str, ...] = (), *, columns: int = 0, diverging: bool = True) -> "Figure":
    """Small images (n, h, w) side by side, all on one scale: a layer's kernels, or its outputs.

    Args:
        pictures: (n, h, w), n >= 1.
        titles: What stands over each.
        columns: How many go in a row; 0 for all of up to eight, and a square of more.
        diverging: Red for negative, white for zero, blue for positive; else white to black, from smallest to largest.
    """
    from matplotlib.colors import LinearSegmentedColormap
    from matplotlib.figure import Figure

    if pictures.ndim != 3 or not len(pictures):
        raise ShapeError(f"pictures must have shape (n, h, w) with n >= 1, got {pictures.shape}")
    columns = columns or ceil(sqrt(len(pictures))) if len(pictures) > 8 else columns or len(pictures)
    lines = ceil(len(pictures) / columns)
    figure = Figure(figsize=(1.25 * columns, (1.25 + 0.2 * bool(titles)) * lines), layout="constrained")
    cells = np.atleast_1d(figure.subplots(lines, columns)).ravel()
    largest = float(np.abs(pictures).max()) or 1.0
    low, high = (-largest, largest) if diverging else (float(pictures.min()), float(pictures.max()))
    colours = LinearSegmentedColormap.from_list("madder-indigo", [LINES[0], PAPER, LINES[1]]) if diverging else "gray_r"
    for cell in cells:
        cell.axis("off")
    for index, picture in enumerate(pictures):
        cells[index].imshow(picture, cmap=colours, vmin=low, vmax=high)
        if titles:
            cells[index].set_title(titles[index], fontsize=8, color=INK)
    return figure


def kernels(weight: np.ndarray) -> "Figure":
    """What a convolution's filters `weight` (o, c, r, s) look for; several input channels are averaged."""
    if weight.ndim != 4:
        raise ShapeError(f"weight must have shape (o, c, r, s), got {weight.shape}")
    return images(weight.mean(axis=1))


def png(figure: "Figure") -> bytes:
    """A figure as a PNG picture."""
    stream = BytesIO()
    figure.savefig(stream, format="png", dpi=DOTS_PER_INCH, facecolor=PAPER)
    return stream.getvalue()


def _style(axes: "Axes") -> None:
    axes.set_facecolor(PAPER)
    axes.grid(axis="y", color=FAINT, linewidth=0.6)
    axes.tick_params(colors=INK, color=FAINT, labelsize=9)
    for side, spine in axes.spines.items():
        spine.set_visible(side in ("left", "bottom"))
        spine.set_color(FAINT)
