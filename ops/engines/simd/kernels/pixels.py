"""From the bytes of images to vectors: transposed, so that each example has its lane, and scaled to [0, 1]."""

from __future__ import annotations

from llvmlite import ir

from ops.engines.simd.codegen.code import BYTE, WORD, Code, Vec


def scale(code: Code, length: int, x: int) -> None:
    """x[n] of every example = pixel n / 255. length: bytes an example in `code.pixels`, a multiple of the lanes."""
    lanes, builder = code.lanes, code.builder
    row = ir.PointerType(ir.VectorType(BYTE, lanes))
    with code.loop(0, length, lanes) as n:
        rows = []
        for lane in range(lanes):
            address = builder.gep(code.pixels, [code.long(n + lane * length)])
            rows.append(builder.load(builder.bitcast(address, row), align=lanes))
        for i, pixels in enumerate(code.transpose(rows)):
            words = builder.zext(pixels, ir.VectorType(WORD, lanes))
            value = Vec(code, builder.uitofp(words, code.vector)) * code.constant(1 / 255)
            code.store(value, n * lanes + (x + i * lanes))


def scale_single(code: Code, length: int, x: int) -> None:
    """x[n] = pixel n / 255 for one example by itself, its numbers without gaps."""
    builder, row = code.builder, ir.PointerType(ir.VectorType(BYTE, code.lanes))
    with code.loop(0, length, code.lanes) as n:
        address = builder.bitcast(builder.gep(code.pixels, [code.long(n)]), row)
        words = builder.zext(builder.load(address, align=code.lanes), ir.VectorType(WORD, code.lanes))
        code.store(Vec(code, builder.uitofp(words, code.vector)) * code.constant(1 / 255), n + x)
