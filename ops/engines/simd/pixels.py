"""From the bytes of a block's images to vectors: transposed, and scaled to [0, 1]."""

from __future__ import annotations

from llvmlite import ir

from ops.engines.simd.code import BYTE, WORD, Code, Vec


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
