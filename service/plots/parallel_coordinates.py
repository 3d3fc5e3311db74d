"""Parallel coordinates (Inselberg, 1985): an axis for each setting, a line for each trial, as an SVG.

Colours are the gallery's where it is put into a page, so that it follows light and dark; alone it has its own.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise

from ops.palette import INDIGO, INK, MADDER, PAPER

HEIGHT, TOP, BOTTOM, SIDE = 360.0, 54.0, 24.0, 70.0
SPACING = 150.0
"""Pixels between two axes."""

COLORS = {"paper": PAPER, "ink": INK, "indigo": INDIGO, "madder": MADDER}


@dataclass(frozen=True)
class Axis:
    """One axis.

    Attributes:
        name: what it shows.
        ticks: places from 0, below, to 1, each with what it says.
    """

    name: str
    ticks: tuple[tuple[float, str], ...]


@dataclass(frozen=True)
class Trajectory:
    """The line of a trial.

    Attributes:
        places: on each axis, from 0 to 1.
        rank: from 0, the worst, to 1, the best: how dark the line is.
        is_best: whether it stands out.
        is_whole: whether it was trained to its end; others are dashed.
        title: what a pointer that rests on it shows.
    """

    places: tuple[float, ...]
    rank: float
    is_best: bool
    is_whole: bool
    title: str


def parallel_coordinates(axes: Sequence[Axis], trajectories: Sequence[Trajectory], label: str) -> str:
    """Draw trials over their settings, the best one last and in another colour.

    Args:
        axes: at least two; the last one is what trials are compared by.
        trajectories: in any order.
        label: what people are told who can't see it.
    """
    width = 2 * SIDE + SPACING * (len(axes) - 1)
    ordered = sorted(trajectories, key=lambda one: (one.is_best, one.rank))
    lines = "".join(map(_line, ordered))
    marks = "".join(_axis(number, axis, is_last=number == len(axes) - 1) for number, axis in enumerate(axes))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:g}" height="{HEIGHT:g}" '
        f'viewBox="0 0 {width:g} {HEIGHT:g}" role="img" aria-label="{escape(label)}" class="coordinates" '
        f'font-family="sans-serif" font-size="11"><rect width="100%" height="100%" fill="{_color("paper")}"/>'
        f'<g fill="none" stroke-linecap="round">{lines}</g>{marks}</svg>'
    )


def _line(one: Trajectory) -> str:
    color, opacity, width = _color("indigo"), 0.1 + 0.75 * one.rank**2, 1 + one.rank
    if one.is_best:
        color, opacity, width = _color("madder"), 1.0, 3.2
    dash = "" if one.is_whole else ' stroke-dasharray="5 4"'
    points = [(_x(number), _y(place)) for number, place in enumerate(one.places)]
    path = f"M{points[0][0]:g} {points[0][1]:.1f}" + "".join(
        f"C{(x + x2) / 2:g} {y:.1f} {(x + x2) / 2:g} {y2:.1f} {x2:g} {y2:.1f}" for (x, y), (x2, y2) in pairwise(points)
    )
    dots = "".join(f'<circle cx="{x:g}" cy="{y:.1f}" r="4" fill="{color}"/>' for x, y in points) if one.is_best else ""
    return (
        f'<g class="trial" stroke="{color}" stroke-opacity="{opacity:.2f}" stroke-width="{width:.1f}"><title>'
        f'{escape(one.title)}</title><path d="{path}"{dash}/>{dots}</g>'
    )


def _axis(number: int, axis: Axis, *, is_last: bool) -> str:
    """An axis; what ticks say stands where no lines are, on the left or, of the last one, on the right."""
    side, anchor = (1, "start") if is_last else (-1, "end")
    x, ink = _x(number), _color("ink")
    halo = f'paint-order="stroke" stroke="{_color("paper")}" stroke-width="3" stroke-linejoin="round"'
    ticks = "".join(
        f'<path d="M{x:g} {_y(place):.1f}h{4 * side}" stroke="{ink}"/>'
        f'<text x="{x + 8 * side:g}" y="{_y(place) + 4:.1f}" text-anchor="{anchor}" fill="{ink}" {halo}>'
        f"{escape(text)}</text>"
        for place, text in axis.ticks
    )
    return (
        f'<path d="M{x:g} {TOP:g}V{HEIGHT - BOTTOM:g}" stroke="{ink}" stroke-width="1.2"/>{ticks}'
        f'<text x="{x:g}" y="26" text-anchor="middle" font-size="13" fill="{ink}">{escape(axis.name)}</text>'
    )


def _x(number: int) -> float:
    return SIDE + SPACING * number


def _y(place: float) -> float:
    return HEIGHT - BOTTOM - place * (HEIGHT - TOP - BOTTOM)


def _color(name: str) -> str:
    return f"var(--{name}, {COLORS[name]})"
