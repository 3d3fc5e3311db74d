"""Dense layers: their result, and their gradients for the input and, for many examples at once, the weights."""

from __future__ import annotations

from ops.engines.simd.code import Code, Place, Sum, Vec
from ops.engines.simd.contraction import add_products, new_sums, parts, tile_shape
from ops.engines.simd.conv import Finish
from ops.engines.simd.layout import Parameter, padded

UNROLL = 4
"""Inputs (outputs, on the way back) to a turn of the innermost loop."""


def forward(code: Code, weight: Parameter, x: int, start: int, bias: int | None, finish: Finish) -> None:
    """y[o] = b[o] + sum over k of w[o, k] x[k]. start: where the weights are; x, bias: where those are."""
    stride = weight.stride
    for first, count, many in parts(weight.rows, tile_shape(1, weight.rows)[1]):
        with code.loop(0, count) as part:
            o = part * many + first
            sums = new_sums(code, many)
            if bias is not None:
                for j, total in enumerate(sums):
                    total.set(code.spread(o + (bias + j)))
            for k_first, k_count, ks in parts(weight.columns, UNROLL):
                terms = [(j, k * code.lanes, j * stride + k) for k in range(ks) for j in range(many)]
                with code.loop(0, k_count) as turn:
                    k = turn * ks + k_first
                    a, b = code.at(k * code.lanes + x), code.at(o * stride + k + start)
                    add_products(sums, terms, (code.load, a), (code.spread, b))
            for j, total in enumerate(sums):
                finish(code, total.get(), o * code.lanes + j * code.lanes)


def input_gradient(code: Code, weight: Parameter, dy: Place, start: int, finish: Finish) -> None:
    """dx[k] = sum over o of w[o, k] dy[o]."""
    stride = weight.stride
    for first, count, many in parts(weight.columns, tile_shape(1, weight.columns)[1]):
        with code.loop(0, count) as part:
            k = part * many + first
            sums = new_sums(code, many)
            for o_first, o_count, os in parts(weight.rows, 2):
                terms = [(j, o * code.lanes, o * stride + j) for o in range(os) for j in range(many)]
                with code.loop(0, o_count) as turn:
                    o = turn * os + o_first
                    a, b = code.at(o * code.lanes + dy), code.at(o * stride + k + start)
                    add_products(sums, terms, (code.load, a), (code.spread, b))
            for j, total in enumerate(sums):
                finish(code, total.get(), k * code.lanes + j * code.lanes)


def keep_rows(code: Code, elements: int, x: int, rows: Place) -> None:
    """Write the block's x once more, example by example, for `weight_gradient`."""
    length = padded(elements)
    with code.loop(0, length, code.lanes) as k:
        columns = [code.load(k * code.lanes + (x + n * code.lanes)).value for n in range(code.lanes)]
        for lane, values in enumerate(code.transpose(columns)):
            code.store(Vec(code, values), k + rows + lane * length)


def weight_gradient(code: Code, weight: Parameter, dy: tuple[int, int], rows: tuple[int, int], gradient: int) -> None:
    """dw[o, k] += sum over the panel's examples of dy[o] x[k], a vector of k at a time; `code.slot` blocks are full.

    dy, rows: where the first block's are, and how far each next block's.
    """
    length = weight.stride
    across, down = tile_shape(length // code.lanes, weight.rows)
    for o_first, o_count, os in parts(weight.rows, down):
        for k_first, k_count, ks in parts(length // code.lanes, across):
            with code.loop(0, o_count) as o_part, code.loop(0, k_count) as k_part:
                o = o_part * os + o_first
                k = (k_part * ks + k_first) * code.lanes
                base = code.at(o * length + k + gradient)
                places = [j * length + i * code.lanes for j in range(os) for i in range(ks)]
                sums = [Sum(code) for _ in places]
                for total, place in zip(sums, places, strict=True):
                    total.set(code.load(place, base))
                terms = [(j * ks + i, i * code.lanes, j * code.lanes) for j in range(os) for i in range(ks)]
                with code.loop(0, code.slot) as block, code.loop(0, code.lanes) as lane:
                    a = code.at(block * rows[1] + lane * length + k + rows[0])
                    b = code.at(block * dy[1] + lane + o * code.lanes + dy[0])
                    add_products(sums, terms, (code.load, a), (code.spread, b))
                for total, place in zip(sums, places, strict=True):
                    code.store(total.get(), place, base)
