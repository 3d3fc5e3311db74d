"""A training curve as numbers for an SVG in the page, so that it follows light and dark."""

from dataclasses import dataclass

from ops.charts import Frame
from service.plots.charts import Epochs, accuracy_chart

SMALL = Frame(width=320, height=96, left=4, right=14, top=8, bottom=6)
LARGE = Frame(width=640, height=280, left=40, right=64, top=16, bottom=28)


@dataclass(frozen=True)
class PageLine:
    """One line.

    Attributes:
        key: Its class in the style sheet.
        name: What it is called in the legend.
        points: As SVG's `polyline` takes them.
        x: Where its last point lies, in pixels.
        y: The same, downwards.
        value: Its last value, in percent.
    """

    key: str
    name: str
    points: str
    x: float
    y: float
    value: str


@dataclass(frozen=True)
class PageChart:
    """A chart in a page.

    Attributes:
        frame: Its size and margins.
        lines: What it shows.
        grid: The gridlines as (y in pixels, label).
        epochs: The number of the last epoch.
    """

    frame: Frame
    lines: tuple[PageLine, ...]
    grid: tuple[tuple[float, str], ...]
    epochs: int


def accuracy_curve(history: Epochs, *, small: bool = False) -> PageChart:
    """Train and test accuracy over the epochs, 0 to 100 %. small: without gridlines."""
    frame, chart = SMALL if small else LARGE, accuracy_chart(history)
    lines = []
    for line in chart.lines:
        key = line.name.partition(" ")[0]
        at = frame.place(chart, *line.points[-1])
        lines.append(PageLine(key, key, frame.polyline(chart, line), *at, f"{100 * line.last:.1f} %"))
    first = chart.x_range[0]
    grid = () if small else tuple((frame.place(chart, first, tick)[1], f"{100 * tick:.0f}") for tick in chart.ticks(5))
    return PageChart(frame, tuple(lines), grid, max((epoch["epoch"] for epoch in history), default=1))
