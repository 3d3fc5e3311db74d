"""Random draws inside a kernel: Philox on one counter of each example at once, as `ops.random.philox4x32` has it.

What the kernels know of a block's examples lies in the draws, one vector a row: their numbers, labels,
and after `augmentation` whether each is flipped and how far it moves; then the seed and the epoch.
"""

from __future__ import annotations

from llvmlite import ir

from ops.engines.simd.code import LONG, WORD, Code, Place
from ops.step_config import StepConfig

EXAMPLES, LABELS, FLIPS, DOWN, ACROSS, SEED_LOW, SEED_HIGH, EPOCH, ROWS = range(9)
"""Rows of the draws; the last three (before their number) hold the same word in every lane."""


def philox(code: Code, counter: Place, purpose: int) -> list[ir.Value]:
    """Four words an example for the counter (example, epoch, counter, purpose) under the seed."""
    builder = code.builder
    words, longs = ir.VectorType(WORD, code.lanes), ir.VectorType(LONG, code.lanes)

    def load(row: int) -> ir.Value:
        return builder.load(code.draw_row(row), align=4 * code.lanes)

    def times(word: ir.Value, factor: int) -> tuple[ir.Value, ir.Value]:
        long = builder.mul(builder.zext(word, longs), ir.Constant(longs, [factor] * code.lanes))
        high = builder.lshr(long, ir.Constant(longs, [32] * code.lanes))
        return builder.trunc(high, words), builder.trunc(long, words)

    narrow = code.builder.trunc(code.long(counter), WORD)
    c0, c1, c2, c3 = load(EXAMPLES), load(EPOCH), code.splat(narrow).value, code.words(purpose)
    k0, k1 = load(SEED_LOW), load(SEED_HIGH)
    for _ in range(10):
        left_high, left_low = times(c0, 0xD2511F53)
        right_high, right_low = times(c2, 0xCD9E8D57)
        c0 = builder.xor(builder.xor(right_high, c1), k0)
        c2 = builder.xor(builder.xor(left_high, c3), k1)
        c1, c3 = right_low, left_low
        k0, k1 = builder.add(k0, code.words(0x9E3779B9)), builder.add(k1, code.words(0xBB67AE85))
    return [c0, c1, c2, c3]


def augmentation(code: Code, step_config: StepConfig) -> None:
    """Draw each example's flip and shift (see `ops.augment`)."""
    flip, down, across, _ = philox(code, 0, 1)
    span = code.words(2 * step_config.shift + 1)
    builder = code.builder
    values = {FLIPS: builder.and_(flip, code.words(1 if step_config.flip else 0))}
    for row, word in ((DOWN, down), (ACROSS, across)):
        values[row] = builder.sub(builder.urem(word, span), code.words(step_config.shift))
    for row, value in values.items():
        builder.store(value, code.draw_row(row), align=4 * code.lanes)


def dropout(code: Code, rate: float, position: int, elements: int, x: int, y: int, mask: int) -> None:
    """y = x times the mask of `ops.dropout`; the mask is kept for the way back."""
    threshold = code.words(min(round(rate * 2**32), 2**32 - 1))
    scale, zero = code.constant(1 / (1 - rate)), code.constant(0)
    with code.loop(0, -(-elements // 4)) as quarter:
        for n, word in enumerate(philox(code, quarter, 2 + position)):
            kept = code.select(code.builder.icmp_unsigned(">=", word, threshold), scale, zero)
            place = quarter * (4 * code.lanes) + n * code.lanes
            code.store(kept, place + mask)
            code.store(code.load(place + x) * kept, place + y)
