"""How much of a convolution a thread makes: enough to use what it loads more than once, not so much that threads idle.

A tile is chosen by counting. A multiprocessor has four quarters, each of which issues one instruction of one warp a
cycle, and one unit that loads for all of them, one warp's words a cycle (NVIDIA, Hopper tuning guide). A pass takes as
long as the busiest of them: a quarter with most warps, the loads, or a single warp that waits for each of its loads.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil, log2

THREADS = 512
"""Threads of a block that takes examples: as many as may have 128 registers each."""

WARP = 32
QUARTERS = 4
LATENCY = 200
"""Cycles that a warp by itself stands still for each window: for its words, and for what is made of them."""

BESIDES = 20
"""Instructions around a load of a window: indices, bounds, branches."""

WIDEST = 8
WIDEST_ROW = 16
"""A thread makes at most so many neighbours of a row; or a whole row, if it has no more than so many."""

MOST_SUMS = 48
"""A thread keeps at most so many sums, which leaves 80 of its 128 registers for what it loads, and for indices."""


@dataclass(frozen=True)
class Planes:
    """What a pass makes or takes: rows over all examples of a block, channels, and how many of these are in a group."""

    rows: int
    width: int
    channels: int
    group: int


@dataclass(frozen=True)
class Filter:
    """Of a convolution: its rows and columns, and the stride and dilation of its columns."""

    tall: int
    wide: int
    stride: int = 1
    dilation: int = 1

    def span(self, columns: int) -> int:
        """How many numbers of a row so many neighbours are made from."""
        return (columns - 1) * self.stride + (self.wide - 1) * self.dilation + 1


@dataclass(frozen=True)
class Tile:
    """What a thread makes at a time: neighbouring columns, for some channels.

    parts: threads that share one sum. threads: how many such tiles there are, times that, in whole warps.
    """

    columns: int
    channels: int
    parts: int
    threads: int


def forward(made: Planes, taps: Filter) -> Tile:
    """The tile of the pass that makes a convolution's output."""
    across = _columns(made.width)
    runs = made.rows * ceil(made.width / across)
    tiles = [
        Tile(across, size, 1, _warps(runs * made.channels // size))
        for size in _divisors(made.group)
        if size * across <= MOST_SUMS
    ]

    def cycles(tile: Tile) -> float:
        loads = taps.span(across) + taps.wide * tile.channels
        return _cycles(tile, tile.channels * across * taps.wide, loads, 1)

    return min(tiles, key=cycles)


def back(made: Planes, taken: Planes, taps: Filter, threads: int) -> Tile:
    """The tile of the pass that takes the output's gradient and makes the input's, with so many threads at hand."""
    widths = {_columns(made.width), made.width if made.width <= WIDEST_ROW else 1}
    tiles = [
        Tile(across, size, parts, _warps(jobs * parts))
        for across in sorted(widths)
        for size in _divisors(made.group)
        if size * across <= MOST_SUMS
        for jobs in [made.rows * ceil(made.width / across) * made.channels // size]
        for parts in _shares(jobs, threads)
        if parts <= taken.group
    ]

    def cycles(tile: Tile) -> float:
        # a whole row leaves out what lies beyond the ends of the rows that it is made from
        whole = tile.columns == made.width
        products = (taken.width if whole else tile.columns) * taps.wide * tile.channels
        window = taken.width if whole else Filter(1, taps.wide, 1, taps.dilation).span(tile.columns)
        turns, loads = taps.tall * ceil(taken.group / tile.parts), window + taps.wide * tile.channels
        shuffles = tile.columns * tile.channels * log2(tile.parts)
        return _cycles(tile, turns * products + shuffles, turns * loads + shuffles, turns + log2(tile.parts))

    return min(tiles, key=cycles)


def weights(taken: Planes, depth: int, taps: Filter, threads: int) -> Tile:
    """The tile of the pass that makes the gradients of the filters, each a sum over all places of the output.

    depth: how many input channels a filter has.
    """
    across = _columns(taken.width)
    places = taken.rows * ceil(taken.width / across)
    rows = taken.channels * depth * taps.tall
    tiles = [
        Tile(across, size, parts, _warps(rows // size * parts))
        for size in _divisors(taken.group)
        if size * taps.wide <= MOST_SUMS
        for parts in _shares(rows // size, threads)
    ]

    def cycles(tile: Tile) -> float:
        turns, sums, halvings = ceil(places / tile.parts), tile.channels * taps.wide, log2(tile.parts)
        loads = turns * (taps.span(across) + tile.channels * across) + sums * halvings
        products = turns * sums * across + sums * halvings
        return _cycles(tile, products, loads, turns + halvings)

    return min(tiles, key=cycles)


def _cycles(tile: Tile, sums: float, loads: float, waits: float) -> float:
    """Cycles of a multiprocessor, if each thread adds, loads and waits for its loads so many times."""
    warps, one = tile.threads // WARP, sums + loads + waits * BESIDES
    return max(ceil(warps / QUARTERS) * one, one + waits * LATENCY, warps * loads)


def _warps(threads: int) -> int:
    return ceil(threads / WARP) * WARP


def _columns(width: int) -> int:
    """Neighbours of a row that a thread makes: as many as cover it with the least waste."""
    return min(range(min(WIDEST, width), 0, -1), key=lambda size: ceil(width / size) * size - width)


def _shares(jobs: int, threads: int) -> Iterator[int]:
    """Among how many threads of a warp each of so many jobs may be shared."""
    return (parts for parts in (1, 2, 4, 8, 16, 32) if parts == 1 or jobs * parts <= threads)


def _divisors(number: int) -> Iterator[int]:
    return (size for size in range(1, number + 1) if number % size == 0)
