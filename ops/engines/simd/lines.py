"""Which places of a line meet which, and how to cut the line into stretches that one piece of code can do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

Meetings = tuple[tuple[int, int], ...]
"""Pairs `(tap of the window, place on the other line)`."""


def outward(places: int, length: int, window: int, stride: int, padding: int, dilation: int = 1) -> list[Meetings]:
    """For each place of a window on a line of `length` numbers: its taps that fall on the line, and where."""
    found = []
    for place in range(places):
        start = place * stride - padding
        taps = ((tap, start + tap * dilation) for tap in range(window))
        found.append(tuple((tap, at) for tap, at in taps if 0 <= at < length))
    return found


def inward(outward_meetings: Sequence[Meetings], length: int) -> list[Meetings]:
    """The same seen from the line: for each of its numbers the taps and places of the windows that see it."""
    found: list[list[tuple[int, int]]] = [[] for _ in range(length)]
    for place, meetings in enumerate(outward_meetings):
        for tap, at in meetings:
            found[at].append((tap, place))
    return [tuple(sorted(meetings)) for meetings in found]


@dataclass(frozen=True)
class Stretch:
    """Equal tiles of a line, side by side, which differ only in where they begin.

    first: the first tile's first place; width: places in a tile; count: tiles, each `width` further.
    origin, advance: the place on the other line that `terms` count from, and how far it moves from tile to tile.
    terms: for each meeting `(place in the tile, tap, place on the other line beyond the origin)`, tap by tap.
    """

    first: int
    width: int
    count: int
    origin: int
    advance: int
    terms: tuple[tuple[int, int, int], ...]


def stretches(meetings: Sequence[Meetings], width: int) -> list[Stretch]:
    """A line cut into tiles of `width` places (the last may be narrower), equal neighbours taken together."""
    found: list[Stretch] = []
    for first in range(0, len(meetings), width):
        tile = meetings[first : first + width]
        origin = min((at for place in tile for _, at in place), default=0)
        terms = sorted((tap, at - origin, n) for n, place in enumerate(tile) for tap, at in place)
        new = Stretch(first, len(tile), 1, origin, 0, tuple((n, tap, at) for tap, at, n in terms))
        if not (found and _joined(found, new)):
            found.append(new)
    return found


def _joined(found: list[Stretch], new: Stretch) -> bool:
    """Whether the new tile continues the last stretch, which then takes it in."""
    last = found[-1]
    advance = new.origin - last.origin if last.count == 1 else last.advance
    if (last.width, last.terms) != (new.width, new.terms) or new.origin != last.origin + last.count * advance:
        return False
    found[-1] = Stretch(last.first, last.width, last.count + 1, last.origin, advance, last.terms)
    return True
