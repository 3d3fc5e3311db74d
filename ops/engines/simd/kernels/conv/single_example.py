"""A convolution of one example by itself: vectors run along its rows, where a block's run over its examples.

Every sum takes its terms in the order in which `forward` takes them, so that the results have the same bits.
"""

from __future__ import annotations

from llvmlite import ir

from ops.engines.simd.codegen.code import Code, PairTable, Vec
from ops.engines.simd.codegen.contraction import add_products, split, tile_shape, zero_accumulators
from ops.engines.simd.codegen.scalars import BIT
from ops.engines.simd.kernels.buffers import Buffers
from ops.engines.simd.kernels.conv.geometry import ConvGeometry


def forward_single(code: Code, geometry: ConvGeometry, buffers: Buffers) -> None:
    """As `forward` for one example, a vector of neighbours q at a time; for a horizontal stride of 1."""
    inputs, outputs = geometry.group_channels
    r_taps, s_taps = geometry.kernel
    (x_height, x_width), (y_height, y_width) = geometry.x_shape[1:], geometry.y_shape[1:]
    filter_size = inputs * r_taps * s_taps
    (_, padding), (_, dilation) = geometry.padding, geometry.dilation
    weight, bias = buffers.parameter("weight"), buffers.bias()
    table = PairTable(code, [[(h * x_width, r * s_taps) for r, h in taps] for taps in geometry.row_taps])
    # the last vector begins early enough to end with the row
    starts = sorted({max(0, min(q, y_width - code.lanes)) for q in range(0, y_width, code.lanes)})
    across, channels = tile_shape(len(starts), outputs)

    def row(place: int, base: ir.Value) -> Vec:
        return _inside(code, code.load(place, base, aligned=False), place, x_width)

    with code.loop(0, geometry.groups) as group, code.loop(0, y_height) as p:
        for first, count, many in split(outputs, channels):
            with code.loop(0, count) as part:
                o = group * outputs + (part * many + first)
                for tile in (starts[n : n + across] for n in range(0, len(starts), across)):
                    sums = zero_accumulators(code, many * len(tile))
                    if bias is not None:
                        for n, total in enumerate(sums):
                            total.set(code.broadcast(o + (bias + n // len(tile))))
                    terms = [
                        (j * len(tile) + n, q + s * dilation - padding, j * filter_size + s)
                        for s in range(s_taps)
                        for j in range(many)
                        for n, q in enumerate(tile)
                        if any(_columns(code, q + s * dilation - padding, x_width))
                    ]
                    with code.loop(0, inputs) as c, table.pairs(p) as (x_row, tap):
                        a = code.address((group * inputs + c) * (x_height * x_width) + x_row + buffers.x)
                        b = code.address(o * filter_size + c * (r_taps * s_taps) + tap + weight)
                        add_products(sums, terms, (row, a), (code.broadcast, b))
                    y = code.address((o * y_height + p) * y_width + buffers.y)
                    for n, total in enumerate(sums):
                        place = n // len(tile) * (y_height * y_width) + tile[n % len(tile)]
                        result = buffers.apply_activation(code, total.get())
                        kept = code.load(place, y, aligned=False) if y_width < code.lanes else result
                        code.store(code.select(_first(code, y_width), result, kept), place, y, aligned=False)


def _inside(code: Code, numbers: Vec, place: int, width: int) -> Vec:
    """Neighbours from a column on, zero in the padding, whose products add nothing."""
    inside = _columns(code, place, width)
    return numbers if all(inside) else code.select(_mask(code, inside), numbers, code.constant(0))


def _columns(code: Code, place: int, width: int) -> list[bool]:
    """Which lanes of a vector of neighbours are columns of the row."""
    return [0 <= place + lane < width for lane in range(code.lanes)]


def _first(code: Code, count: int) -> ir.Value:
    """A mask of the first `count` lanes."""
    return _mask(code, [lane < count for lane in range(code.lanes)])


def _mask(code: Code, lanes: list[bool]) -> ir.Value:
    return ir.Constant(ir.VectorType(BIT, code.lanes), lanes)
