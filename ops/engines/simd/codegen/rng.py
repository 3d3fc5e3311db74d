"""Random numbers inside a kernel: Philox on one counter for each example, as `ops.random.philox4x32` has it."""

from __future__ import annotations

from llvmlite import ir

from ops.engines.simd.codegen.code import LONG, WORD, Code, Offset
from ops.engines.simd.codegen.lane_data import EPOCH, EXAMPLES, SEED_HIGH, SEED_LOW


def philox(code: Code, counter: Offset, purpose: int) -> list[ir.Value]:
    """Four words an example for the counter (example, epoch, counter, purpose) under the seed."""
    builder = code.builder
    words, longs = ir.VectorType(WORD, code.lanes), ir.VectorType(LONG, code.lanes)

    def load(row: int) -> ir.Value:
        return builder.load(code.lane_row(row), align=4 * code.lanes)

    def times(word: ir.Value, factor: int) -> tuple[ir.Value, ir.Value]:
        long = builder.mul(builder.zext(word, longs), ir.Constant(longs, [factor] * code.lanes))
        high = builder.lshr(long, ir.Constant(longs, [32] * code.lanes))
        return builder.trunc(high, words), builder.trunc(long, words)

    narrow = code.builder.trunc(code.long(counter), WORD)
    c0, c1, c2, c3 = load(EXAMPLES), load(EPOCH), code.splat(narrow).value, code.int_constant(purpose)
    k0, k1 = load(SEED_LOW), load(SEED_HIGH)
    for _ in range(10):
        left_high, left_low = times(c0, 0xD2511F53)
        right_high, right_low = times(c2, 0xCD9E8D57)
        c0 = builder.xor(builder.xor(right_high, c1), k0)
        c2 = builder.xor(builder.xor(left_high, c3), k1)
        c1, c3 = right_low, left_low
        k0, k1 = builder.add(k0, code.int_constant(0x9E3779B9)), builder.add(k1, code.int_constant(0xBB67AE85))
    return [c0, c1, c2, c3]
