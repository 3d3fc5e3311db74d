"""The gradient of a convolution for its filters: register tiles of output channels, input channels and taps."""

from __future__ import annotations

from collections.abc import Sequence

from ops.engines.simd.codegen.code import Accumulator, Code, Offset, PairTable
from ops.engines.simd.codegen.contraction import add_products, split
from ops.engines.simd.codegen.tap_maps import tile_runs
from ops.engines.simd.cpu import cpu
from ops.engines.simd.kernels.conv.geometry import ConvGeometry

CACHE_BYTES = 36 * 1024
"""Bytes that a kernel may go over again and again and still find them in the first-level cache."""


def weight_gradient(code: Code, geometry: ConvGeometry, x: int, dy: Offset, lane_sums: int) -> None:
    """dw[o, c, r, s] += sum of dy[o, p, q] x[c, h, w] over the plane, separately for each lane.

    The rows are taken in bands, few enough for the band to stay in the first-level cache. Tiles of other taps s meet
    other columns, so each is code of its own.
    """
    inputs, outputs = geometry.group_channels
    r_taps, s_taps = geometry.kernel
    x_row, y_row = geometry.x_shape[2] * code.lanes, geometry.y_shape[2] * code.lanes
    x_plane, y_plane = geometry.x_shape[1] * x_row, geometry.y_shape[1] * y_row
    tile_o, tile_c, tile_s = _tile_shape(outputs, inputs, s_taps)
    bands = _bands(geometry, tile_o, tile_c, code.lanes)
    rows = [
        [(p * y_row, h * x_row) for p in band for tap, h in geometry.row_taps[p] if tap == r]
        for band in bands
        for r in range(r_taps)
    ]
    table = PairTable(code, rows)
    tiles = [
        (o_tiles, c_tiles, range(s_first + n * ss, s_first + (n + 1) * ss))
        for o_tiles in split(outputs, tile_o)
        for c_tiles in split(inputs, tile_c)
        for s_first, s_count, ss in split(s_taps, tile_s)
        for n in range(s_count)
    ]
    with code.loop(0, geometry.groups) as group, code.loop(0, len(bands)) as band:
        for (o_first, o_count, os), (c_first, c_count, cs), taps in tiles:
            with code.loop(0, o_count) as o_part, code.loop(0, c_count) as c_part, code.loop(0, r_taps) as r:
                o = group * outputs + (o_part * os + o_first)
                c = c_part * cs + c_first
                place = ((o * inputs + c) * r_taps + r) * (s_taps * code.lanes) + lane_sums
                places = [
                    ((i * inputs + j) * r_taps * s_taps + s) * code.lanes
                    for i in range(os)
                    for j in range(cs)
                    for s in taps
                ]
                sums = [Accumulator(code) for _ in places]
                base = code.address(place)
                for total, at in zip(sums, places, strict=True):
                    total.set(code.load(at, base))
                with table.pairs(band * r_taps + r) as (dy_row, row):
                    dy_at = o * y_plane + dy_row + dy
                    x_at = (group * inputs + c) * x_plane + row + x
                    _add_row(code, geometry, sums, (os, cs, taps), (dy_at, y_plane), (x_at, x_plane))
                for total, at in zip(sums, places, strict=True):
                    code.store(total.get(), at, base)


def _add_row(
    code: Code,
    geometry: ConvGeometry,
    sums: list[Accumulator],
    tile: tuple[int, int, range],
    dy: tuple[Offset, int],
    x: tuple[Offset, int],
) -> None:
    """Add one row's products dy[o, q] x[c, w] to the tile of sums over o, c and s."""
    os, cs, taps = tile
    for run in tile_runs(geometry.column_taps, 1):
        terms = [
            ((i * cs + j) * len(taps) + (s - taps.start), i * dy[1], j * x[1] + at * code.lanes)
            for _, s, at in run.terms
            if s in taps
            for j in range(cs)
            for i in range(os)
        ]
        if not terms:
            continue
        with code.loop(0, run.count) as n:
            a = code.address(dy[0] + (n * code.lanes + run.first * code.lanes))
            b = code.address(x[0] + (n * (run.advance * code.lanes) + run.origin * code.lanes))
            add_products(sums, terms, (code.load, a), (code.load, b))


def _tile_shape(outputs: int, inputs: int, s_taps: int) -> tuple[int, int, int]:
    """How many filters, input channels and taps a tile of filter gradients takes."""
    tile_s = min(s_taps, 6)
    tile_c = max(n for n in range(1, inputs + 1) if inputs % n == 0 and (n == 1 or n * tile_s <= 6))
    most_o = cpu().accumulators // (tile_s * tile_c)
    dividing = [n for n in range(1, outputs + 1) if outputs % n == 0 and n <= most_o]
    # a narrow tile for the remainder would run at a fraction of the speed
    return (max(dividing) if max(dividing) * 2 > min(most_o, outputs) else min(most_o, outputs)), tile_c, tile_s


def _bands(geometry: ConvGeometry, tile_o: int, tile_c: int, lanes: int) -> Sequence[range]:
    """The output's rows in bands that fit the first-level cache together with the input rows they meet."""
    output_row = tile_o * geometry.y_shape[2] * lanes * 4
    input_row = tile_c * geometry.x_shape[2] * lanes * 4
    overlap = (geometry.kernel[0] - 1) * input_row
    rows = max(1, (CACHE_BYTES - overlap) // (output_row + geometry.stride[0] * input_row))
    total = geometry.y_shape[1]
    bands = -(-total // rows)
    return [range(total * n // bands, total * (n + 1) // bands) for n in range(bands)]
