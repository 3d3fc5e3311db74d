"""A training curve as numbers for an SVG: drawn in the page, so that it follows light and dark."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Line:
    """One line: the points as SVG wants them, the last one, and its value."""

    key: str
    name: str
    points: str
    x: float
    y: float
    value: str


@dataclass(frozen=True)
class Picture:
    """Lines in a box of width x height, gridlines as (y, label), and the last epoch."""

    width: int
    height: int
    left: int
    lines: tuple[Line, ...]
    grid: tuple[tuple[float, str], ...]
    epochs: int


def curve(history: list[dict[str, Any]], *, small: bool = False) -> Picture:
    """Train and test accuracy over the epochs, 0 to 100 %."""
    width, height, left, bottom, top = (320, 96, 4, 6, 8) if small else (640, 280, 40, 28, 16)
    right = 14 if small else 64
    last = max((entry["epoch"] for entry in history), default=1)

    def place(epoch: float, share: float) -> tuple[float, float]:
        across = (epoch - 1) / max(last - 1, 1)
        return round(left + across * (width - left - right), 1), round(top + (1 - share) * (height - top - bottom), 1)

    lines = []
    for key, name in (("train_accuracy", "train"), ("test_accuracy", "test")):
        known = [(e["epoch"], e[key]) for e in history if e.get(key) is not None]
        if known:
            places = [place(*point) for point in known]
            points = " ".join(f"{x},{y}" for x, y in places)
            lines.append(Line(key.partition("_")[0], name, points, *places[-1], f"{100 * known[-1][1]:.1f} %"))
    grid = tuple((place(1, share)[1], f"{100 * share:.0f}") for share in (0, 0.25, 0.5, 0.75, 1))
    return Picture(width, height, left, tuple(lines), () if small else grid, last)
