"""Which positions of a sliding window meet which numbers of an axis, and through which taps.

Kernels take an axis in tiles of a few positions. Neighbouring tiles that differ only in where they begin are a
`TileRun`, which one loop of the kernel does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

Taps = tuple[tuple[int, int], ...]
"""Pairs `(tap of the window, position on the other axis)`."""


def output_taps(outputs: int, length: int, window: int, stride: int, padding: int, dilation: int = 1) -> list[Taps]:
    """For each output: the taps of its window that fall on an axis of `length` inputs, and on which of them."""
    found = []
    for output in range(outputs):
        start = output * stride - padding
        taps = ((tap, start + tap * dilation) for tap in range(window))
        found.append(tuple((tap, at) for tap, at in taps if 0 <= at < length))
    return found


def input_taps(taps_of_outputs: Sequence[Taps], length: int) -> list[Taps]:
    """The transpose of `output_taps`: for each input, the taps through which it is seen, and by which outputs."""
    found: list[list[tuple[int, int]]] = [[] for _ in range(length)]
    for output, taps in enumerate(taps_of_outputs):
        for tap, at in taps:
            found[at].append((tap, output))
    return [tuple(sorted(taps)) for taps in found]


@dataclass(frozen=True)
class TileRun:
    """Equal tiles side by side, which differ only in where they begin.

    Attributes:
        first: The first position of the first tile.
        width: Positions in a tile.
        count: How many tiles there are.
        origin: The position on the other axis that the first tile's `terms` count from.
        advance: How far the origin moves from tile to tile.
        terms: `(position in the tile, tap, position on the other axis, counted from the origin)`, tap by tap.
    """

    first: int
    width: int
    count: int
    origin: int
    advance: int
    terms: tuple[tuple[int, int, int], ...]


def tile_runs(taps: Sequence[Taps], width: int) -> list[TileRun]:
    """An axis cut into tiles of `width` positions (the last may be narrower), equal neighbours joined to runs."""
    found: list[TileRun] = []
    for first in range(0, len(taps), width):
        tile = taps[first : first + width]
        origin = min((at for position in tile for _, at in position), default=0)
        terms = sorted((tap, at - origin, n) for n, position in enumerate(tile) for tap, at in position)
        new = TileRun(first, len(tile), 1, origin, 0, tuple((n, tap, at) for tap, at, n in terms))
        if not (found and _joined(found, new)):
            found.append(new)
    return found


def _joined(found: list[TileRun], new: TileRun) -> bool:
    """Whether the new tile continues the last run, which then takes it in."""
    last = found[-1]
    advance = new.origin - last.origin if last.count == 1 else last.advance
    if (last.width, last.terms) != (new.width, new.terms) or new.origin != last.origin + last.count * advance:
        return False
    found[-1] = TileRun(last.first, last.width, last.count + 1, last.origin, advance, last.terms)
    return True
