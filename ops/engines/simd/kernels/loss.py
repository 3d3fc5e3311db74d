"""Softmax and cross-entropy of a block's logits, and their gradient."""

from __future__ import annotations

from ops.engines.simd.codegen import numerics
from ops.engines.simd.codegen.code import Accumulator, Code, Offset, Vec
from ops.engines.simd.codegen.lane_data import LABELS
from ops.engines.simd.kernels.buffers import StepBuffers


def softmax_cross_entropy(
    code: Code, buffers: StepBuffers, classes: int, logits: int, dy: Offset, label_smoothing: float
) -> None:
    """The gradient of the batch's mean loss for the logits, and what each example's loss is made of.

    An example's loss is log(exp_sum) - target_dot. The gradient is zero in lanes without an example, so that they
    leave no trace in any sum.

    Args:
        code: The kernel.
        buffers: Where `weight` is read and `exp_sum`, `target_dot` and `correct` are written.
        classes: How many logits an example has.
        logits: Where they are.
        dy: Where the gradient goes.
        label_smoothing: The share of each target spread over all classes.
    """
    builder = code.builder
    label = builder.load(code.lane_row(LABELS), align=4 * code.lanes)
    largest, exp_sum, target_dot, correct = (Accumulator(code) for _ in range(4))
    one, zero = code.constant(1), code.constant(0)

    def logit(c: Offset) -> Vec:
        return code.load(c * code.lanes + logits)

    def is_label(c: Offset) -> Vec:
        narrow = code.splat(builder.trunc(code.long(c), label.type.element))
        return code.select(builder.icmp_signed("==", label, narrow.value), one, zero)

    largest.set(logit(0))
    correct.set(is_label(0))
    with code.loop(1, classes) as c:
        better = logit(c).compare(">", largest.get())
        correct.set(code.select(better, is_label(c), correct.get()))
        largest.set(code.select(better, logit(c), largest.get()))
    exp_sum.set(zero)
    target_dot.set(zero)
    with code.loop(0, classes) as c:
        shifted = logit(c) - largest.get()
        power = numerics.exp(code, shifted)
        exp_sum.set(exp_sum.get() + power)
        target_dot.set(_target(code, is_label(c), label_smoothing, classes).fma(shifted, target_dot.get()))
        code.store(power, c * code.lanes + dy)
    weight = code.load(buffers.weight)
    inverse = one / exp_sum.get()
    with code.loop(0, classes) as c:
        probability = code.load(c * code.lanes + dy) * inverse
        difference = probability - _target(code, is_label(c), label_smoothing, classes)
        # a lane without an example gets zero even where its logits are not finite
        gradient = code.select(weight.compare("==", zero), zero, difference * weight)
        code.store(gradient, c * code.lanes + dy)
    results = (buffers.exp_sum, exp_sum.get()), (buffers.target_dot, target_dot.get()), (buffers.correct, correct.get())
    for place, value in results:
        code.store(value, place)


def _target(code: Code, is_label: Vec, label_smoothing: float, classes: int) -> Vec:
    """What the softmax should be."""
    if not label_smoothing:
        return is_label
    return is_label.fma(code.constant(1 - label_smoothing), code.constant(label_smoothing / classes))
