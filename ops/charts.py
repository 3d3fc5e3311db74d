"""The geometry of line charts as plain values, for whatever draws them: Matplotlib, SVG or a page."""

from collections.abc import Sequence
from dataclasses import dataclass

HEADROOM = 1.05
"""A chart without a given maximum ends this much above its largest value."""


@dataclass(frozen=True)
class Line:
    """One line.

    Attributes:
        name: What it is called in a legend.
        points: (x, y) pairs, x growing.
    """

    name: str
    points: tuple[tuple[float, float], ...]

    @property
    def last(self) -> float:
        """The newest value."""
        return self.points[-1][1]


@dataclass(frozen=True)
class Chart:
    """Lines, and the ranges of both axes. The y axis begins at 0.

    Attributes:
        lines: Those with at least one point.
        x_range: The first and the last x, which differ.
        y_max: The end of the y axis, above 0.
    """

    lines: tuple[Line, ...]
    x_range: tuple[float, float]
    y_max: float

    def ticks(self, count: int) -> tuple[float, ...]:
        """Evenly spaced values on the y axis, from 0 to its end."""
        return tuple(self.y_max * step / (count - 1) for step in range(count))


@dataclass(frozen=True)
class Frame:
    """A rectangle of pixels, y growing downwards, with margins around the chart in it."""

    width: float
    height: float
    left: float
    right: float
    top: float
    bottom: float

    def place(self, chart: Chart, x: float, y: float) -> tuple[float, float]:
        """Where a point of a chart lies, in pixels from the upper left corner, to a tenth."""
        first, last = chart.x_range
        across = (x - first) / (last - first) * (self.width - self.left - self.right)
        down = (1 - y / chart.y_max) * (self.height - self.top - self.bottom)
        return round(self.left + across, 1), round(self.top + down, 1)

    def polyline(self, chart: Chart, line: Line) -> str:
        """A line's points as SVG's `polyline` takes them."""
        return " ".join(f"{x},{y}" for x, y in (self.place(chart, *point) for point in line.points))


def chart_of(lines: Sequence[Line], y_max: float | None = None) -> Chart:
    """A chart that shows all points of some lines; those without points are left out.

    y_max: the end of the y axis; by default `HEADROOM` times the largest value, and 1 where that isn't above 0.
    """
    shown = tuple(line for line in lines if line.points)
    points = [point for line in shown for point in line.points]
    first = min((x for x, _ in points), default=0.0)
    last = max((x for x, _ in points), default=0.0)
    largest = HEADROOM * max((y for _, y in points), default=0.0)
    return Chart(shown, (first, last if last > first else first + 1), y_max or (largest if largest > 0 else 1.0))
