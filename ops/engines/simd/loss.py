"""Softmax and cross-entropy of a block's logits, and their gradient."""

from __future__ import annotations

from ops.engines.simd import numerics
from ops.engines.simd.code import Code, Place, Sum, Vec
from ops.engines.simd.draws import LABELS
from ops.engines.simd.layout import Layout


def softmax_cross_entropy(code: Code, layout: Layout, classes: int, logits: int, dy: Place, smoothing: float) -> None:
    """The gradient of the batch's mean loss at `dy`; for each lane what its loss is made of.

    An example's loss is log(total) - dot, where total is the sum of exp(logit - largest) and dot that of
    target * (logit - largest). `layout.share` holds 1 / examples for lanes with one, 0 for the others: their
    gradient is zero, so that they leave no trace in any sum.
    """
    builder = code.builder
    label = builder.load(code.draw_row(LABELS), align=4 * code.lanes)
    largest, total, dot, hit = (Sum(code) for _ in range(4))
    one, zero = code.constant(1), code.constant(0)

    def logit(c: Place) -> Vec:
        return code.load(c * code.lanes + logits)

    def is_label(c: Place) -> Vec:
        narrow = code.splat(builder.trunc(code.long(c), label.type.element))
        return code.select(builder.icmp_signed("==", label, narrow.value), one, zero)

    largest.set(logit(0))
    hit.set(is_label(0))
    with code.loop(1, classes) as c:
        better = logit(c).compare(">", largest.get())
        hit.set(code.select(better, is_label(c), hit.get()))
        largest.set(code.select(better, logit(c), largest.get()))
    total.set(zero)
    dot.set(zero)
    with code.loop(0, classes) as c:
        shifted = logit(c) - largest.get()
        power = numerics.exp(code, shifted)
        total.set(total.get() + power)
        dot.set(_target(code, is_label(c), smoothing, classes).fma(shifted, dot.get()))
        code.store(power, c * code.lanes + dy)
    share = code.load(layout.share)
    inverse = one / total.get()
    with code.loop(0, classes) as c:
        probability = code.load(c * code.lanes + dy) * inverse
        difference = probability - _target(code, is_label(c), smoothing, classes)
        # a lane without an example gets zero even where its logits are not finite
        gradient = code.select(share.compare("==", zero), zero, difference * share)
        code.store(gradient, c * code.lanes + dy)
    for place, value in ((layout.total, total.get()), (layout.dot, dot.get()), (layout.hit, hit.get())):
        code.store(value, place)


def _target(code: Code, is_label: Vec, smoothing: float, classes: int) -> Vec:
    """What the softmax should be."""
    if not smoothing:
        return is_label
    return is_label.fma(code.constant(1 - smoothing), code.constant(smoothing / classes))
