"""Pooling on vectors: the largest or the mean of each window, and the way back."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ops.engines.simd.code import Code, Place, Sum, Vec
from ops.engines.simd.conv import Finish
from ops.engines.simd.lines import Meetings, outward
from ops.layers import AvgPool2D, MaxPool2D, Shape

UNROLLED = 16
"""Windows of up to so many numbers are written out; larger ones are loops."""


@dataclass(frozen=True)
class Pool:
    """A pooling's geometry: which rows and columns each window takes, and what its mean divides by."""

    layer: MaxPool2D | AvgPool2D
    x_shape: Shape
    y_shape: Shape
    rows: tuple[Meetings, ...]
    columns: tuple[Meetings, ...]
    counts: tuple[tuple[int, ...], tuple[int, ...]]

    @classmethod
    def of(cls, layer: MaxPool2D | AvgPool2D, x_shape: Shape) -> Pool:
        y_shape = layer.output_shape(x_shape)
        window = layer.window((x_shape[1], x_shape[2]))
        lines, counts = [], []
        for axis in range(2):
            length, places = x_shape[1 + axis], y_shape[1 + axis]
            size, stride, padding = (window[name][axis] for name in ("window", "stride", "padding"))
            lines.append(tuple(outward(places, length, size, stride, padding)))
            low, high = (-padding, length + padding) if getattr(layer, "count_include_pad", False) else (0, length)
            starts = (place * stride - padding for place in range(places))
            counts.append(tuple(min(start + size, high) - max(start, low) for start in starts))
        return cls(layer, x_shape, y_shape, lines[0], lines[1], (counts[0], counts[1]))

    @property
    def apart(self) -> bool:
        """Whether every number of the plane is in one window and in no other."""
        lengths = zip((self.rows, self.columns), self.x_shape[1:], strict=True)
        return all(sorted(at for place in line for _, at in place) == list(range(n)) for line, n in lengths)


@dataclass(frozen=True)
class Window:
    """The windows that one piece of code does: where they begin (of one channel), and how large they are."""

    x: Place
    y: Place
    height: int
    width: int
    count: int


def forward(code: Code, pool: Pool, x: int, y: int) -> None:
    """y = the largest or the mean of each window of x."""
    largest = isinstance(pool.layer, MaxPool2D)
    for window in _windows(code, pool):
        total = Sum(code)
        total.set(code.constant(float("-inf") if largest else 0))
        for place in _taps(code, pool, window):
            number, so_far = code.load(place + x), total.get()
            total.set(_larger(code, number, so_far) if largest else so_far + number)
        result = total.get()
        if not largest:
            result = result * code.constant(1 / window.count)
        code.store(result, window.y + y)


def backward(code: Code, pool: Pool, x: int, y: int, dy: Place, dx: Place, finish: Finish) -> None:
    """dx = dy shared out over its window, or all of it for the window's first largest number.

    Where the windows part the plane among them, what arrives at each place is finished at once; else it is added up.
    """
    elements = pool.x_shape[0] * pool.x_shape[1] * pool.x_shape[2]
    apart = pool.apart
    if not apart:
        with code.loop(0, elements) as n:
            code.store(code.constant(0), n * code.lanes + dx)
    for window in _windows(code, pool):
        sent, left = code.load(window.y + dy), Sum(code)
        if isinstance(pool.layer, AvgPool2D):
            sent = sent * code.constant(1 / window.count)
        left.set(sent)
        peak = code.load(window.y + y)
        for place in _taps(code, pool, window):
            share = sent
            if isinstance(pool.layer, MaxPool2D):
                rest, zero = left.get(), code.constant(0)
                here = code.load(place + x).compare("==", peak)
                share = code.select(here, rest, zero)
                left.set(code.select(here, zero, rest))
            if apart:
                finish(code, share, place)
            else:
                code.store(code.load(place + dx) + share, place + dx)


def _larger(code: Code, number: Vec, so_far: Vec) -> Vec:
    """The larger number, the earlier of equal ones; NaN counts as the largest."""
    builder = code.builder
    better = builder.or_(
        builder.fcmp_ordered(">", number.value, so_far.value),
        builder.fcmp_unordered("uno", number.value, number.value),
    )
    return code.select(better, number, so_far)


def _windows(code: Code, pool: Pool) -> Iterator[Window]:
    """All windows of all channels: a loop for each stretch of them that is done alike."""
    (x_height, x_width), (y_height, y_width) = pool.x_shape[1:], pool.y_shape[1:]
    for high in _pieces(pool.rows, pool.counts[0]):
        for wide in _pieces(pool.columns, pool.counts[1]):
            with (
                code.loop(0, pool.x_shape[0]) as c,
                code.loop(0, high.many) as i,
                code.loop(0, wide.many) as j,
            ):
                row, column = i * high.advance + high.origin, j * wide.advance + wide.origin
                x = ((c * x_height + row) * x_width + column) * code.lanes
                y = ((c * y_height + i + high.first) * y_width + j + wide.first) * code.lanes
                yield Window(x, y, high.length, wide.length, high.count * wide.count)


def _taps(code: Code, pool: Pool, window: Window) -> Iterator[Place]:
    """The places of a window's numbers, row by row."""
    row = pool.x_shape[2] * code.lanes
    if window.height * window.width <= UNROLLED:
        for r in range(window.height):
            for s in range(window.width):
                yield window.x + (r * row + s * code.lanes)
        return
    with code.loop(0, window.height) as r_index, code.loop(0, window.width) as s_index:
        yield window.x + r_index * row + s_index * code.lanes


@dataclass(frozen=True)
class _Piece:
    """Windows on a line, `many` from place `first` on, which take `length` numbers each, the first from `origin`."""

    first: int
    many: int
    origin: int
    advance: int
    length: int
    count: int


def _pieces(line: Sequence[Meetings], counts: Sequence[int]) -> list[_Piece]:
    """A line's windows, those done alike and divided alike taken together."""
    found: list[_Piece] = []
    for place, (meetings, count) in enumerate(zip(line, counts, strict=True)):
        origin = meetings[0][1] if meetings else 0
        if found:
            last = found[-1]
            advance = origin - last.origin if last.many == 1 else last.advance
            if (last.length, last.count, last.origin + last.many * advance) == (len(meetings), count, origin):
                found[-1] = _Piece(last.first, last.many + 1, last.origin, advance, last.length, count)
                continue
        found.append(_Piece(place, 1, origin, 0, len(meetings), count))
    return found
