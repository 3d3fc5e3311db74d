"""What all Matplotlib pictures of the service share."""

from pathlib import Path
from typing import BinaryIO

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure

from ops.palette import FAINT, INDIGO, INK, MADDER, PAPER

INDIGO_SCALE = LinearSegmentedColormap.from_list("indigo", [PAPER, "#b9c4dd", INDIGO, "#1b2a4e"])
DIVERGING = LinearSegmentedColormap.from_list("madder-indigo", [MADDER, PAPER, INDIGO])


def new_figure(width: float, height: float) -> Figure:
    """An empty figure, sizes in inches."""
    figure = Figure(figsize=(width, height), facecolor=PAPER, layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def plain(axes: Axes) -> None:
    """Take away what carries no information."""
    axes.set_facecolor(PAPER)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color(FAINT)
    axes.tick_params(colors=INK, labelsize=9, color=FAINT)


def save(figure: Figure, target: Path | BinaryIO) -> None:
    """Write a PNG at 144 dots an inch."""
    figure.savefig(target, dpi=144, format="png")
