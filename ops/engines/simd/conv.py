"""Convolution: its result, and its gradients for the filters and for the input.

Each kernel walks over rows of the plane; the plan's tables say which rows meet which, so that stride,
padding and dilation cost nothing where they are 1, 0 and 1, and no product with padding is ever taken.
Along a row, tiles of a few columns times a few channels of sums stay in registers (see contraction.py).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from ops.engines.simd.code import Code, Groups, Place, Sum, Vec
from ops.engines.simd.contraction import add_products, new_sums, parts, tile_shape
from ops.engines.simd.host import host
from ops.engines.simd.lines import Meetings, inward, outward, stretches
from ops.layers import Conv2D, Shape

Finish = Callable[[Code, Vec, Place], None]
"""What becomes of a result: given the vector and its place in the plane's buffer, it is finished and stored."""

NEAR = 36 * 1024
"""Bytes that a kernel may go over again and again and still find them in the first-level cache."""


@dataclass(frozen=True)
class Plane:
    """A convolution's geometry: which rows and columns of input (h, w) and output (p, q) meet through which taps."""

    layer: Conv2D
    x_shape: Shape
    y_shape: Shape
    rows: tuple[Meetings, ...]
    columns: tuple[Meetings, ...]

    @classmethod
    def of(cls, layer: Conv2D, x_shape: Shape) -> Plane:
        y_shape = layer.output_shape(x_shape)
        geometry: tuple[Any, ...] = (layer.kernel_size, layer.stride, layer.padding, layer.dilation)
        rows, columns = (
            tuple(outward(y_shape[1 + axis], x_shape[1 + axis], *(pair[axis] for pair in geometry)))
            for axis in range(2)
        )
        return cls(layer, x_shape, y_shape, rows, columns)

    @property
    def kernel(self) -> tuple[int, int]:
        return self.layer.kernel_size  # type: ignore[return-value]  # a pair since __post_init__

    @property
    def fan(self) -> tuple[int, int]:
        """Input and output channels of one group."""
        return self.x_shape[0] // self.layer.groups, self.y_shape[0] // self.layer.groups


def forward(code: Code, plane: Plane, x: int, weight: int, bias: int | None, finish: Finish) -> None:
    """y[o, p, q] = b[o] + sum of x[c, h, w] w[o, c, r, s] over the c, r, s whose h, w lie on the plane.

    x, weight, bias: where they are in the memory.
    """
    inputs, outputs = plane.fan
    r_taps, s_taps = plane.kernel
    row, filter_size = plane.x_shape[2] * code.lanes, inputs * r_taps * s_taps
    table = Groups(code, [[(at * row, r * s_taps) for r, at in meetings] for meetings in plane.rows])
    columns, channels = tile_shape(plane.y_shape[2], outputs)
    x_plane, y_plane = plane.x_shape[1] * row, plane.y_shape[1] * plane.y_shape[2] * code.lanes
    with code.loop(0, plane.layer.groups) as group, code.loop(0, plane.y_shape[1]) as p:
        for first, count, many in parts(outputs, channels):
            with code.loop(0, count) as part:
                o = group * outputs + (part * many + first)
                for stretch in stretches(plane.columns, columns):
                    with code.loop(0, stretch.count) as tile:
                        sums = new_sums(code, stretch.width * many)
                        if bias is not None:
                            _spread_over(sums, [code.spread(o + (bias + j)) for j in range(many)])
                        terms = [
                            (j * stretch.width + n, at * code.lanes, j * filter_size + s)
                            for s, group_terms in _by_tap(stretch.terms)
                            for j in range(many)
                            for n, at in group_terms
                        ]
                        with code.loop(0, inputs) as c, table.pairs(p) as (x_row, tap):
                            column = tile * (stretch.advance * code.lanes) + (x + stretch.origin * code.lanes)
                            a = code.at((group * inputs + c) * x_plane + x_row + column)
                            b = code.at(o * filter_size + c * (r_taps * s_taps) + tap + weight)
                            add_products(sums, terms, (code.load, a), (code.spread, b))
                        place = o * y_plane + p * (plane.y_shape[2] * code.lanes)
                        place = place + tile * (stretch.width * code.lanes) + stretch.first * code.lanes
                        for j in range(many):
                            for n in range(stretch.width):
                                total = sums[j * stretch.width + n].get()
                                finish(code, total, place + (j * y_plane + n * code.lanes))


def input_gradient(code: Code, plane: Plane, dy: Place, weight: int, finish: Finish) -> None:
    """dx[c, h, w] = sum of dy[o, p, q] w[o, c, r, s] over all o and the r, s that brought x[c, h, w] to y[o, p, q]."""
    inputs, outputs = plane.fan
    r_taps, s_taps = plane.kernel
    taps = r_taps * s_taps
    row = plane.y_shape[2] * code.lanes
    x_height, x_width = plane.x_shape[1:]
    meetings_by_row = inward(plane.rows, x_height)
    table = Groups(code, [[(at * row, r * s_taps) for r, at in meetings] for meetings in meetings_by_row])
    columns, channels = tile_shape(x_width, inputs)
    x_plane, y_plane = x_height * x_width * code.lanes, plane.y_shape[1] * row
    with code.loop(0, plane.layer.groups) as group, code.loop(0, x_height) as h:
        for first, count, many in parts(inputs, channels):
            with code.loop(0, count) as part:
                c = part * many + first
                for stretch in stretches(inward(plane.columns, x_width), columns):
                    with code.loop(0, stretch.count) as tile:
                        sums = new_sums(code, stretch.width * many)
                        terms = [
                            (j * stretch.width + n, at * code.lanes, j * taps + s)
                            for s, group_terms in _by_tap(stretch.terms)
                            for j in range(many)
                            for n, at in group_terms
                        ]
                        with code.loop(0, outputs) as o, table.pairs(h) as (y_row, tap):
                            channel = group * outputs + o
                            column = tile * (stretch.advance * code.lanes) + stretch.origin * code.lanes
                            a = code.at(channel * y_plane + y_row + column + dy)
                            b = code.at(channel * (inputs * taps) + c * taps + tap + weight)
                            add_products(sums, terms, (code.load, a), (code.spread, b))
                        place = (group * inputs + c) * x_plane + h * (x_width * code.lanes)
                        place = place + tile * (stretch.width * code.lanes) + stretch.first * code.lanes
                        for j in range(many):
                            for n in range(stretch.width):
                                total = sums[j * stretch.width + n].get()
                                finish(code, total, place + (j * x_plane + n * code.lanes))


def weight_gradient(code: Code, plane: Plane, x: int, dy: Place, lane_sums: int) -> None:
    """dw[o, c, r, s] += sum of dy[o, p, q] x[c, h, w] over the plane, apart for each lane.

    The rows are taken in bands, few enough for the band to stay in the first-level cache.
    """
    inputs, outputs = plane.fan
    r_taps, s_taps = plane.kernel
    x_row, y_row = plane.x_shape[2] * code.lanes, plane.y_shape[2] * code.lanes
    x_plane, y_plane = plane.x_shape[1] * x_row, plane.y_shape[1] * y_row
    many_o, many_c, many_s = _gradient_tile(outputs, inputs, s_taps)
    bands = _bands(plane, many_o, many_c, code.lanes)
    meetings = [
        [(p * y_row, at * x_row) for p in band for tap, at in plane.rows[p] if tap == r]
        for band in bands
        for r in range(r_taps)
    ]
    table = Groups(code, meetings)
    with code.loop(0, plane.layer.groups) as group, code.loop(0, len(bands)) as band:
        for o_first, o_count, os in parts(outputs, many_o):
            for c_first, c_count, cs in parts(inputs, many_c):
                for s_first, s_count, ss in parts(s_taps, many_s):
                    # tiles of taps differ in which columns they meet, so each is code of its own
                    for taps in (range(s_first + n * ss, s_first + (n + 1) * ss) for n in range(s_count)):
                        with (
                            code.loop(0, o_count) as o_part,
                            code.loop(0, c_count) as c_part,
                            code.loop(0, r_taps) as r,
                        ):
                            o = group * outputs + (o_part * os + o_first)
                            c = c_part * cs + c_first
                            place = ((o * inputs + c) * r_taps + r) * (s_taps * code.lanes) + lane_sums
                            steps = (inputs * r_taps * s_taps, r_taps * s_taps, 1)
                            places = [
                                (i * steps[0] + j * steps[1] + s) * code.lanes
                                for i in range(os)
                                for j in range(cs)
                                for s in taps
                            ]
                            sums = [Sum(code) for _ in places]
                            base = code.at(place)
                            for total, at in zip(sums, places, strict=True):
                                total.set(code.load(at, base))
                            with table.pairs(band * r_taps + r) as (dy_row, row):
                                dy_at = o * y_plane + dy_row + dy
                                x_at = (group * inputs + c) * x_plane + row + x
                                _add_row(code, plane, sums, (os, cs, taps), (dy_at, y_plane), (x_at, x_plane))
                            for total, at in zip(sums, places, strict=True):
                                code.store(total.get(), at, base)


def bias_gradient(code: Code, channels: int, places: int, dy: Place, lane_sums: int) -> None:
    """db[o] += sum of dy[o, …] over all places, apart for each lane."""
    with code.loop(0, channels) as o:
        total = Sum(code)
        total.set(code.load(o * code.lanes + lane_sums))
        with code.loop(0, places) as place:
            total.set(total.get() + code.load((o * places + place) * code.lanes + dy))
        code.store(total.get(), o * code.lanes + lane_sums)


def _add_row(
    code: Code,
    plane: Plane,
    sums: list[Sum],
    tile: tuple[int, int, range],
    dy: tuple[Place, int],
    x: tuple[Place, int],
) -> None:
    """Add one row's products dy[o, q] x[c, w] to the tile of sums over o, c and s."""
    os, cs, taps = tile
    for stretch in stretches(plane.columns, 1):
        terms = [
            ((i * cs + j) * len(taps) + (s - taps.start), i * dy[1], j * x[1] + at * code.lanes)
            for _, s, at in stretch.terms
            if s in taps
            for j in range(cs)
            for i in range(os)
        ]
        if not terms:
            continue
        with code.loop(0, stretch.count) as n:
            a = code.at(dy[0] + (n * code.lanes + stretch.first * code.lanes))
            b = code.at(x[0] + (n * (stretch.advance * code.lanes) + stretch.origin * code.lanes))
            add_products(sums, terms, (code.load, a), (code.load, b))


def _gradient_tile(outputs: int, inputs: int, s_taps: int) -> tuple[int, int, int]:
    """How many filters, input channels and taps a tile of filter gradients takes."""
    many_s = min(s_taps, 6)
    many_c = max(n for n in range(1, inputs + 1) if inputs % n == 0 and (n == 1 or n * many_s <= 6))
    room = host().sums // (many_s * many_c)
    dividing = [n for n in range(1, outputs + 1) if outputs % n == 0 and n <= room]
    # a few left over would do their work at a fraction of the speed
    return (max(dividing) if max(dividing) * 2 > min(room, outputs) else min(room, outputs)), many_c, many_s


def _bands(plane: Plane, many_o: int, many_c: int, lanes: int) -> Sequence[range]:
    """The output's rows in bands that fit the first-level cache together with the input rows they meet."""
    output_row = many_o * plane.y_shape[2] * lanes * 4
    input_row = many_c * plane.x_shape[2] * lanes * 4
    down, _ = plane.layer.stride  # type: ignore[misc]  # a pair since __post_init__
    spread = (plane.kernel[0] - 1) * input_row
    rows = max(1, (NEAR - spread) // (output_row + down * input_row))
    total = plane.y_shape[1]
    bands = -(-total // rows)
    return [range(total * n // bands, total * (n + 1) // bands) for n in range(bands)]


def _by_tap(terms: Sequence[tuple[int, int, int]]) -> list[tuple[int, list[tuple[int, int]]]]:
    """The terms of a stretch, tap by tap: `(s, [(place in the tile, place on the other line), …])`."""
    found: dict[int, list[tuple[int, int]]] = {}
    for n, tap, at in terms:
        found.setdefault(tap, []).append((n, at))
    return list(found.items())


def _spread_over(sums: list[Sum], values: list[Vec]) -> None:
    """Begin each channel's sums with its value."""
    width = len(sums) // len(values)
    for n, total in enumerate(sums):
        total.set(values[n // width])
