"""Softmax and cross-entropy of a block's logits, and their gradient."""

from __future__ import annotations

from collections.abc import Callable

from ops.engines.simd.codegen import numerics
from ops.engines.simd.codegen.code import Accumulator, Code, Offset, Vec
from ops.engines.simd.codegen.lane_data import LABELS
from ops.engines.simd.kernels.buffers import StepBuffers
from ops.step_config import StepConfig


def softmax_cross_entropy(
    code: Code, buffers: StepBuffers, classes: int, logits: int, dy: Offset, step_config: StepConfig
) -> None:
    """The gradient of the batch's mean loss for the logits, and what each example's loss is made of.

    An example's loss is target_sum log(exp_sum) - target_dot. The gradient is zero in lanes without an example, so that
    they leave no trace in any sum.

    Args:
        code: The kernel.
        buffers: Where `weight` is read and `exp_sum`, `target_sum`, `target_dot` and `correct` are written.
        classes: How many logits an example has.
        logits: Where they are.
        dy: Where the gradient goes.
        step_config: What the targets are.
    """
    builder = code.builder
    label = builder.load(code.lane_row(LABELS), align=4 * code.lanes)
    target_of, weighted = _targets(code, step_config, classes), bool(step_config.class_weights)
    largest, exp_sum, target_sum, target_dot, correct = (Accumulator(code) for _ in range(5))
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
    target_sum.set(zero if weighted else one)
    target_dot.set(zero)
    with code.loop(0, classes) as c:
        shifted = logit(c) - largest.get()
        power = numerics.exp(code, shifted)
        exp_sum.set(exp_sum.get() + power)
        target = target_of(c, is_label(c))
        target_dot.set(target.fma(shifted, target_dot.get()))
        if weighted:
            target_sum.set(target_sum.get() + target)
        code.store(power, c * code.lanes + dy)
    weight = code.load(buffers.weight)
    inverse = target_sum.get() / exp_sum.get()
    with code.loop(0, classes) as c:
        scaled = code.load(c * code.lanes + dy) * inverse
        difference = scaled - target_of(c, is_label(c))
        # a lane without an example gets zero even where its logits are not finite
        gradient = code.select(weight.compare("==", zero), zero, difference * weight)
        code.store(gradient, c * code.lanes + dy)
    places = (buffers.exp_sum, buffers.target_sum, buffers.target_dot, buffers.correct)
    for place, value in zip(places, (exp_sum, target_sum, target_dot, correct), strict=True):
        code.store(value.get(), place)


def _targets(code: Code, step_config: StepConfig, classes: int) -> Callable[[Offset, Vec], Vec]:
    """What the softmax should be, times the class's weight: a function of the class and of whether it is the label."""
    smoothing, weights = step_config.label_smoothing, [float(weight) for weight in step_config.class_weights]
    table = code.table(weights) if weights else None

    def target(c: Offset, is_label: Vec) -> Vec:
        if smoothing:
            is_label = is_label.fma(code.constant(1 - smoothing), code.constant(smoothing / classes))
        return is_label if table is None else is_label * code.splat(code.table_entry(table, c))

    return target
