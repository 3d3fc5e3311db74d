"""The gradient of a convolution for its input: the forward pass with the taps seen from the other side."""

from __future__ import annotations

from ops.engines.simd.codegen.code import Code, Offset, PairTable
from ops.engines.simd.codegen.contraction import add_products, split, tile_shape, zero_accumulators
from ops.engines.simd.codegen.tap_maps import input_taps, tile_runs
from ops.engines.simd.kernels.buffers import Epilogue
from ops.engines.simd.kernels.conv.geometry import ConvGeometry, terms_by_tap


def input_gradient(code: Code, geometry: ConvGeometry, dy: Offset, weight: int, epilogue: Epilogue) -> None:
    """dx[c, h, w] = sum of dy[o, p, q] w[o, c, r, s] over all o and the r, s that brought x[c, h, w] to y[o, p, q]."""
    inputs, outputs = geometry.group_channels
    r_taps, s_taps = geometry.kernel
    taps = r_taps * s_taps
    row = geometry.y_shape[2] * code.lanes
    x_height, x_width = geometry.x_shape[1:]
    row_taps = input_taps(geometry.row_taps, x_height)
    table = PairTable(code, [[(p * row, r * s_taps) for r, p in taps_of_row] for taps_of_row in row_taps])
    columns, channels = tile_shape(x_width, inputs)
    x_plane, y_plane = x_height * x_width * code.lanes, geometry.y_shape[1] * row
    with code.loop(0, geometry.groups) as group, code.loop(0, x_height) as h:
        for first, count, many in split(inputs, channels):
            with code.loop(0, count) as part:
                c = part * many + first
                for run in tile_runs(input_taps(geometry.column_taps, x_width), columns):
                    with code.loop(0, run.count) as tile:
                        sums = zero_accumulators(code, run.width * many)
                        terms = [
                            (j * run.width + n, at * code.lanes, j * taps + s)
                            for s, columns_of_tap in terms_by_tap(run.terms)
                            for j in range(many)
                            for n, at in columns_of_tap
                        ]
                        with code.loop(0, outputs) as o, table.pairs(h) as (y_row, tap):
                            channel = group * outputs + o
                            column = tile * (run.advance * code.lanes) + run.origin * code.lanes
                            a = code.address(channel * y_plane + y_row + column + dy)
                            b = code.address(channel * (inputs * taps) + c * taps + tap + weight)
                            add_products(sums, terms, (code.load, a), (code.broadcast, b))
                        place = (group * inputs + c) * x_plane + h * (x_width * code.lanes)
                        place = place + tile * (run.width * code.lanes) + run.first * code.lanes
                        for j in range(many):
                            for n in range(run.width):
                                total = sums[j * run.width + n].get()
                                epilogue(code, total, place + (j * x_plane + n * code.lanes))
