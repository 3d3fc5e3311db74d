"""The outputs of a convolution, a tile of filters at a time.

A vector holds an output of each of some filters at one place. A register tile is some of these vectors times some
places; for each tap it takes the weights of its filters, which lie side by side, and one input for each place:

    sums[v, place] += w[tap, v] * x[channel, place + tap]
"""

from __future__ import annotations

from ops.backends.cpu.function import PointerCode
from ops.backends.cpu.geometry import Geometry
from ops.backends.cpu.planes import filters_outermost
from ops.engines.simd.codegen.code import Accumulator, Index
from ops.geometry import Pair


def write_forward(code: PointerCode, geometry: Geometry) -> None:
    """y (n, filters, p, q) of one tile of filters for n examples.

    Pointers: x (n, c, h, w), padded; w (c, r, s, filters of the tile); b (filters of the tile); room for
    (p, q, filters) and a square of lanes; y. Numbers: how many examples; from one example of x to the next;
    likewise of y; how many filters of the tile there are.
    """
    x, w, b, room, y = code.pointers
    examples, x_example, y_example, filters = code.numbers
    with code.loop(0, examples) as n:
        _plane(code, geometry, code.at(x, n * x_example), w, b, room)
        square = code.at(room, geometry.outputs_of_plane * geometry.tile_filters)
        to = code.at(y, n * y_example)
        filters_outermost(code, geometry.outputs_of_plane, geometry.lane_tile, room, to, square, filters)


def _plane(code: PointerCode, geometry: Geometry, x, w, b, room) -> None:  # type: ignore[no-untyped-def]  # LLVM's
    """One example's outputs in `room` (p, q, filters)."""
    for p_first, p_tiles, rows in geometry.row_tiles:
        for q_first, q_tiles, columns in geometry.column_tiles:
            with code.loop(0, p_tiles) as p_tile, code.loop(0, q_tiles) as q_tile:
                corner = (p_tile * rows + p_first, q_tile * columns + q_first)
                _tile(code, geometry, (rows, columns), corner, x, w, b, room)


def _tile(  # type: ignore[no-untyped-def]  # LLVM's
    code: PointerCode, geometry: Geometry, size: Pair, first: tuple[Index, Index], x, w, b, room
) -> None:
    """The outputs of a tile of so many rows and columns that begins at `first`."""
    (rows, columns), (p, q), tile = size, first, geometry.tile_filters
    places = [(row, column) for row in range(rows) for column in range(columns)]
    sums = [[Accumulator(code) for _ in places] for _ in range(geometry.lane_tile)]
    for v, of_vector in enumerate(sums):
        for total in of_vector:
            total.set(code.load(v * code.lanes, b))
    (_, width), (r_taps, s_taps) = geometry.plane, geometry.kernel
    (down, across), (dilated_down, dilated_across) = geometry.stride, geometry.dilation
    corner = p * (down * width) + q * across
    with code.loop(0, geometry.inputs) as c, code.loop(0, r_taps) as r:
        from_x = code.at(x, c * (geometry.plane[0] * width) + r * (dilated_down * width) + corner)
        from_w = code.at(w, (c * r_taps + r) * (s_taps * tile))
        for s in range(s_taps):
            weights = [code.load(s * tile + v * code.lanes, from_w) for v in range(geometry.lane_tile)]
            # neighbours' inputs overlap, but registers are needed for sums: loading them again costs less
            under_tap = code.hidden(code.at(from_x, s * dilated_across))
            for place, (row, column) in enumerate(places):
                value = code.broadcast(row * down * width + column * across, under_tap)
                for v, weight in enumerate(weights):
                    sums[v][place].set(weight.fma(value, sums[v][place].get()))
    to = code.at(room, (p * geometry.places[1] + q) * tile)
    for v, of_vector in enumerate(sums):
        for total, (row, column) in zip(of_vector, places, strict=True):
            code.store(total.get(), (row * geometry.places[1] + column) * tile + v * code.lanes, to)
