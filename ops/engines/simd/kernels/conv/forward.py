"""The forward pass of a convolution: rows of the output, in register tiles of columns times channels."""

from __future__ import annotations

from ops.engines.simd.codegen.code import Accumulator, Code, PairTable, Vec
from ops.engines.simd.codegen.contraction import add_products, split, tile_shape, zero_accumulators
from ops.engines.simd.codegen.tap_maps import tile_runs
from ops.engines.simd.kernels.buffers import Epilogue
from ops.engines.simd.kernels.conv.geometry import ConvGeometry, terms_by_tap


def forward(code: Code, geometry: ConvGeometry, x: int, weight: int, bias: int | None, epilogue: Epilogue) -> None:
    """y[o, p, q] = b[o] + sum of x[c, h, w] w[o, c, r, s] over the c, r, s whose h, w lie on the plane.

    x, weight, bias: where they are in the memory.
    """
    inputs, outputs = geometry.group_channels
    r_taps, s_taps = geometry.kernel
    row, filter_size = geometry.x_shape[2] * code.lanes, inputs * r_taps * s_taps
    table = PairTable(code, [[(h * row, r * s_taps) for r, h in taps] for taps in geometry.row_taps])
    columns, channels = tile_shape(geometry.y_shape[2], outputs)
    x_plane, y_plane = geometry.x_shape[1] * row, geometry.y_shape[1] * geometry.y_shape[2] * code.lanes
    with code.loop(0, geometry.groups) as group, code.loop(0, geometry.y_shape[1]) as p:
        for first, count, many in split(outputs, channels):
            with code.loop(0, count) as part:
                o = group * outputs + (part * many + first)
                for run in tile_runs(geometry.column_taps, columns):
                    with code.loop(0, run.count) as tile:
                        sums = zero_accumulators(code, run.width * many)
                        if bias is not None:
                            _start_with(sums, [code.broadcast(o + (bias + j)) for j in range(many)])
                        terms = [
                            (j * run.width + n, at * code.lanes, j * filter_size + s)
                            for s, columns_of_tap in terms_by_tap(run.terms)
                            for j in range(many)
                            for n, at in columns_of_tap
                        ]
                        with code.loop(0, inputs) as c, table.pairs(p) as (x_row, tap):
                            column = tile * (run.advance * code.lanes) + (x + run.origin * code.lanes)
                            a = code.address((group * inputs + c) * x_plane + x_row + column)
                            b = code.address(o * filter_size + c * (r_taps * s_taps) + tap + weight)
                            add_products(sums, terms, (code.load, a), (code.broadcast, b))
                        place = o * y_plane + p * (geometry.y_shape[2] * code.lanes)
                        place = place + tile * (run.width * code.lanes) + run.first * code.lanes
                        for j in range(many):
                            for n in range(run.width):
                                total = sums[j * run.width + n].get()
                                epilogue(code, total, place + (j * y_plane + n * code.lanes))


def _start_with(sums: list[Accumulator], values: list[Vec]) -> None:
    """Begin each channel's sums with its value."""
    width = len(sums) // len(values)
    for n, total in enumerate(sums):
        total.set(values[n // width])
