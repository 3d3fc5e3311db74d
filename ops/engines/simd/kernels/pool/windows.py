"""Pooling windows: which numbers each takes, and loops over those that are alike."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ops.engines.simd.codegen.code import Code, Offset
from ops.engines.simd.codegen.tap_maps import Taps, output_taps
from ops.layers import AvgPool2D, MaxPool2D, Shape

UNROLLED = 16
"""Windows of up to so many numbers are unrolled; larger ones are loops."""


@dataclass(frozen=True)
class PoolGeometry:
    """Which rows and columns each window takes, and what its mean divides by.

    Attributes:
        x_shape: Input (c, h, w).
        y_shape: Output (c, p, q).
        row_taps: For each output row its taps and the input rows under them.
        column_taps: For each output column its taps and the input columns under them.
        counts: For each output row, and for each output column, what a mean counts there.
    """

    x_shape: Shape
    y_shape: Shape
    row_taps: tuple[Taps, ...]
    column_taps: tuple[Taps, ...]
    counts: tuple[tuple[int, ...], tuple[int, ...]]

    @classmethod
    def of(cls, layer: MaxPool2D | AvgPool2D, x_shape: Shape) -> PoolGeometry:
        y_shape = layer.output_shape(x_shape)
        window = layer.window((x_shape[1], x_shape[2]))
        taps, counts = [], []
        for axis in range(2):
            length, outputs = x_shape[1 + axis], y_shape[1 + axis]
            size, stride, padding = (window[name][axis] for name in ("window", "stride", "padding"))
            taps.append(tuple(output_taps(outputs, length, size, stride, padding)))
            low, high = (-padding, length + padding) if getattr(layer, "count_include_pad", False) else (0, length)
            starts = (output * stride - padding for output in range(outputs))
            counts.append(tuple(min(start + size, high) - max(start, low) for start in starts))
        return cls(x_shape, y_shape, taps[0], taps[1], (counts[0], counts[1]))

    @property
    def partitions_plane(self) -> bool:
        """Whether every number of the plane is in exactly one window."""
        axes = zip((self.row_taps, self.column_taps), self.x_shape[1:], strict=True)
        return all(sorted(at for taps in axis for _, at in taps) == list(range(length)) for axis, length in axes)


@dataclass(frozen=True)
class Window:
    """The windows that one piece of code does.

    Attributes:
        x: The offset of a window's first number from the start of x.
        y: The offset of its result from the start of y.
        height: Rows of the window on the plane.
        width: Columns of the window on the plane.
        count: What its mean divides by.
    """

    x: Offset
    y: Offset
    height: int
    width: int
    count: int


def windows(code: Code, geometry: PoolGeometry) -> Iterator[Window]:
    """All windows of all channels: a loop for each run of windows that are alike."""
    (x_height, x_width), (y_height, y_width) = geometry.x_shape[1:], geometry.y_shape[1:]
    for rows in _runs(geometry.row_taps, geometry.counts[0]):
        for columns in _runs(geometry.column_taps, geometry.counts[1]):
            with (
                code.loop(0, geometry.x_shape[0]) as c,
                code.loop(0, rows.windows) as i,
                code.loop(0, columns.windows) as j,
            ):
                row, column = i * rows.advance + rows.origin, j * columns.advance + columns.origin
                x = ((c * x_height + row) * x_width + column) * code.lanes
                y = ((c * y_height + i + rows.first) * y_width + j + columns.first) * code.lanes
                yield Window(x, y, rows.length, columns.length, rows.count * columns.count)


def window_offsets(code: Code, geometry: PoolGeometry, window: Window) -> Iterator[Offset]:
    """The offsets of a window's numbers, row by row."""
    row = geometry.x_shape[2] * code.lanes
    if window.height * window.width <= UNROLLED:
        for r in range(window.height):
            for s in range(window.width):
                yield window.x + (r * row + s * code.lanes)
        return
    with code.loop(0, window.height) as r_index, code.loop(0, window.width) as s_index:
        yield window.x + r_index * row + s_index * code.lanes


@dataclass(frozen=True)
class _Run:
    """Windows along an axis that are alike: equally long, equally far apart, with means that divide by the same.

    Attributes:
        first: The first window's output position.
        windows: How many there are.
        origin: The first input position of the first window.
        advance: How far apart they are.
        length: Input positions in each.
        count: What a mean counts along this axis.
    """

    first: int
    windows: int
    origin: int
    advance: int
    length: int
    count: int


def _runs(axis: Sequence[Taps], counts: Sequence[int]) -> list[_Run]:
    """An axis' windows, neighbours that are alike joined."""
    found: list[_Run] = []
    for output, (taps, count) in enumerate(zip(axis, counts, strict=True)):
        origin = taps[0][1] if taps else 0
        if found:
            last = found[-1]
            advance = origin - last.origin if last.windows == 1 else last.advance
            if (last.length, last.count, last.origin + last.windows * advance) == (len(taps), count, origin):
                found[-1] = _Run(last.first, last.windows + 1, last.origin, advance, last.length, count)
                continue
        found.append(_Run(output, 1, origin, 0, len(taps), count))
    return found
