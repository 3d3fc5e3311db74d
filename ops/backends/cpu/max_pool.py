"""The largest number of each window, and its gradient, with the bits that `ops.pool` gives with NumPy."""

from __future__ import annotations

import numpy as np
from llvmlite import ir
from numpy.typing import NDArray

from ops.backends.cpu.function import PointerCode, function
from ops.backends.cpu.memory import empty
from ops.backends.cpu.threads import in_parts
from ops.engines.simd.codegen.code import BYTE, FLOAT, LONG, WORD, Index
from ops.geometry import Pair

Floats = NDArray[np.float32]
Bytes = NDArray[np.uint8]


def max_pool(x: Floats, size: Pair, stride: Pair, places: Pair) -> tuple[Floats, Bytes]:
    """`(y, argmax)` of x (n, c, h, w), padded; argmax is a number's place in its window."""
    y = empty((*x.shape[:2], *places))
    argmax = np.empty(y.shape, np.uint8)
    run = function(_write_max_pool, 3, 1, x.shape[2:], size, stride, places)

    def of_examples(part: slice) -> None:
        own = x[part]
        run(own.ctypes.data, y[part].ctypes.data, argmax[part].ctypes.data, own.shape[0] * own.shape[1])

    in_parts(len(x), of_examples)
    return y, argmax


def max_pool_grad(dy: Floats, argmax: Bytes, plane: Pair, size: Pair, stride: Pair) -> Floats:
    """dx (n, c, h, w) of dy (n, c, p, q), for padded planes (h, w)."""
    dx = empty((*dy.shape[:2], *plane))
    run = function(_write_max_pool_grad, 3, 1, plane, size, stride, dy.shape[2:])

    def of_examples(part: slice) -> None:
        own = dy[part]
        run(own.ctypes.data, argmax[part].ctypes.data, dx[part].ctypes.data, own.shape[0] * own.shape[1])

    in_parts(len(dy), of_examples)
    return dx


def _write_max_pool(code: PointerCode, plane: Pair, size: Pair, stride: Pair, places: Pair) -> None:
    x, y, argmax = code.pointers
    bytes_out = code.builder.bitcast(argmax, ir.PointerType(BYTE))
    width = code.lanes
    while width > places[1]:
        width //= 2
    numbers, kinds = ir.VectorType(WORD, width), ir.VectorType(BYTE, width)
    with code.loop(0, code.numbers[0]) as n, code.loop(0, places[0]) as p, code.loop(0, -(-places[1] // width)) as part:
        q = code.smaller(part * width, places[1] - width)  # the last vector lies flush with the edge
        corner = code.at(x, (n * plane[0] + p * stride[0]) * plane[1] + q * stride[1])
        best = which = None
        for tap, (r, s) in enumerate((r, s) for r in range(size[0]) for s in range(size[1])):
            value, number = _every(code, code.at(corner, r * plane[1] + s), stride[1], width), _same(numbers, tap)
            if best is None or which is None:
                best, which = value, number
                continue
            larger = code.builder.fcmp_unordered(">", value, best)  # or one of them is no number
            larger = code.builder.and_(larger, code.builder.fcmp_ordered("ord", best, best))
            best = code.builder.select(larger, value, best)
            which = code.builder.select(larger, number, which)
        at = (n * places[0] + p) * places[1] + q
        to = code.builder.bitcast(code.at(y, at), ir.PointerType(ir.VectorType(FLOAT, width)))
        code.builder.store(best, to, align=4)
        to = code.builder.bitcast(code.builder.gep(bytes_out, [at.value]), ir.PointerType(kinds))
        code.builder.store(code.builder.trunc(which, kinds), to, align=1)


def _every(code: PointerCode, address: ir.Value, step: int, width: int) -> ir.Value:
    """So many floats, each `step` behind the one before; nothing behind the last is read."""
    builder, kind = code.builder, ir.VectorType(FLOAT, width)

    def vector(offset: int) -> ir.Value:
        return builder.load(builder.bitcast(code.at(address, offset), ir.PointerType(kind)), align=4)

    if step == 1:
        return vector(0)
    if step == 2 and width > 1:
        half = width // 2
        mask = [2 * n if n < half else 2 * n + 1 for n in range(width)]
        return builder.shuffle_vector(vector(0), vector(width - 1), ir.Constant(ir.VectorType(WORD, width), mask))
    found = ir.Constant(kind, ir.Undefined)
    for n in range(width):
        found = builder.insert_element(found, builder.load(code.at(address, n * step)), ir.Constant(WORD, n))
    return found


def _same(kind: ir.VectorType, number: int) -> ir.Value:
    return ir.Constant(kind, [number] * kind.count)


def _write_max_pool_grad(code: PointerCode, plane: Pair, size: Pair, stride: Pair, places: Pair) -> None:
    """Windows are taken from the last to the first: so a number's shares are added in the order of its taps."""
    dy, argmax, dx = code.pointers
    builder = code.builder
    bytes_in = builder.bitcast(argmax, ir.PointerType(BYTE))
    table = code.table([r * plane[1] + s for r in range(size[0]) for s in range(size[1])])
    numbers = plane[0] * plane[1]
    with code.loop(0, code.numbers[0]) as n:
        to = code.at(dx, n * numbers)
        with code.loop(0, numbers) as at:
            builder.store(ir.Constant(FLOAT, 0.0), code.at(to, at))
        with code.loop(0, places[0]) as above, code.loop(0, places[1]) as before:
            p, q = above * -1 + (places[0] - 1), before * -1 + (places[1] - 1)
            at = (n * places[0] + p) * places[1] + q
            tap = Index(code, builder.zext(builder.load(builder.gep(bytes_in, [at.value])), LONG))
            offset = Index(code, code.table_entry(table, tap)) + p * (stride[0] * plane[1]) + q * stride[1]
            share = builder.load(code.at(dy, at))
            place = code.at(to, offset)
            builder.store(builder.fadd(builder.load(place), share), place)
