"""Kernels that copy planes: into their padding, and between the layouts (filters, places) and (places, filters).

The filters are those of a tile: some vectors of them. The last tile may have fewer filters than its vectors have lanes.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir

from ops.backends.cpu.function import PointerCode
from ops.engines.simd.codegen.code import FLOAT, Index, Vec
from ops.geometry import Pair


def write_padded(code: PointerCode, size: Pair, from_plane: Pair, to_plane: Pair) -> None:
    """Copies a rectangle of each plane.

    Pointers: from and to, where the rectangle begins on the first plane. Numbers: how many planes.
    size: rows and columns of the rectangle. from_plane, to_plane: rows and columns of the planes.
    """
    source, target = code.pointers
    (planes,) = code.numbers
    rows, width = size
    step = code.lanes
    while step > width:
        step //= 2
    kind = ir.PointerType(ir.VectorType(FLOAT, step))
    with code.loop(0, planes) as plane, code.loop(0, rows) as row:
        a = code.at(source, plane * (from_plane[0] * from_plane[1]) + row * from_plane[1])
        b = code.at(target, plane * (to_plane[0] * to_plane[1]) + row * to_plane[1])
        for start in (min(n, width - step) for n in range(0, width, step)):
            value = code.builder.load(code.builder.bitcast(code.at(a, start), kind), align=4)
            code.builder.store(value, code.builder.bitcast(code.at(b, start), kind), align=4)


def write_spread(code: PointerCode, size: Pair, to_plane: Pair, step: Pair) -> None:
    """Copies planes whole, from neighbours to numbers that lie `step` rows and columns apart.

    Pointers: from; to, where the first number goes. Numbers: how many planes. size: rows and columns of the planes.
    to_plane: those of the planes that they are copied to.
    """
    source, target = code.pointers
    (rows, width), builder = size, code.builder
    with code.loop(0, code.numbers[0]) as plane, code.loop(0, rows) as row:
        a = code.at(source, (plane * rows + row) * width)
        b = code.at(target, plane * (to_plane[0] * to_plane[1]) + row * (step[0] * to_plane[1]))
        with code.loop(0, width) as column:
            builder.store(builder.load(code.at(a, column)), code.at(b, column * step[1]))


def write_filters_outermost(code: PointerCode, places: int, vectors: int) -> None:
    """From (places, filters of a tile) to (filters, places).

    Pointers: from; to; a square of lanes. Numbers: how many filters of the tile there are.
    """
    source, target, square = code.pointers
    filters_outermost(code, places, vectors, source, target, square, code.numbers[0])


def filters_outermost(
    code: PointerCode, places: int, vectors: int, source: Any, target: Any, square: Any, filters: Index
) -> None:
    """See `write_filters_outermost`; this is for other kernels."""
    lanes, tile = code.lanes, vectors * code.lanes
    if places < lanes:
        with code.loop(0, filters) as o, code.loop(0, places) as at:
            code.builder.store(code.builder.load(code.at(source, at * tile + o)), code.at(target, o * places + at))
        return
    for v in range(vectors):
        count = code.smaller(filters + -v * lanes, lanes)
        with code.loop(0, -(-places // lanes)) as part:
            first = code.smaller(part * lanes, places - lanes)  # the last square lies flush with the end
            base = code.at(source, first * tile + v * lanes)
            rows = [code.load(n * tile, base).value for n in range(lanes)]
            for n, row in enumerate(code.transpose(rows)):
                code.store(Vec(code, row), n * lanes, square)
            with code.loop(0, count) as o:
                code.store(code.load(o * lanes, square), (o + v * lanes) * places + first, target, aligned=False)


def write_filters_innermost(code: PointerCode, places: int, vectors: int) -> None:
    """From (n, filters, places) to (n, places, filters of a tile), zeros where the tile has no filter.

    Pointers: from; to, which holds zeros if there are fewer places than lanes; a square of lanes for each vector, zeros
    behind the filters that there are. Numbers: how many examples; from one example to the next; how many filters of
    the tile there are.
    """
    origin, target, square = code.pointers
    examples, step, filters = code.numbers
    lanes, tile = code.lanes, vectors * code.lanes
    with code.loop(0, examples) as n:
        source, to = code.at(origin, n * step), code.at(target, n * (places * tile))
        if places < lanes:
            with code.loop(0, filters) as o, code.loop(0, places) as at:
                code.builder.store(code.builder.load(code.at(source, o * places + at)), code.at(to, at * tile + o))
        else:
            for v in range(vectors):
                own = code.at(square, v * lanes * lanes)
                _vector_innermost(code, places, tile, v * lanes, source, to, own, filters)


def _vector_innermost(
    code: PointerCode, places: int, tile: int, at: int, source: Any, to: Any, square: Any, filters: Index
) -> None:
    """One vector of filters, which begins at the filter `at` of the tile."""
    lanes = code.lanes
    count = code.smaller(filters + -at, lanes)
    with code.loop(0, -(-places // lanes)) as part:
        first = code.smaller(part * lanes, places - lanes)
        with code.loop(0, count) as o:
            code.store(code.load((o + at) * places + first, source, aligned=False), o * lanes, square)
        rows = [code.load(n * lanes, square).value for n in range(lanes)]
        for n, row in enumerate(code.transpose(rows)):
            code.store(Vec(code, row), first * tile + (n * tile + at), to)
