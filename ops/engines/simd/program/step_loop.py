"""The loop around the kernels, compiled by Numba: steps, blocks, and the way of an example's bytes."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numba import njit, types
from numba.extending import intrinsic

from ops.engines.simd.codegen.kernel import Kernel
from ops.engines.simd.codegen.lane_data import ACROSS, DOWN, EXAMPLES, FLIPS, LABELS
from ops.engines.simd.program.denormals import flush, restore
from ops.engines.simd.program.layout import PANEL
from ops.engines.simd.program.plan import Plan

SIGNATURE = types.void(
    types.CPointer(types.float32),  # memory: see ops.engines.simd.program.layout
    types.CPointer(types.int32),  # lane data: see ops.engines.simd.codegen.lane_data
    types.CPointer(types.uint8),  # room for the bytes of a block's images
    types.CPointer(types.uint8),  # images of the data set
    types.CPointer(types.uint8),  # their labels; not read where `training` is 0
    types.CPointer(types.int32),  # numbers of the examples, step after step
    types.CPointer(types.int32),  # where each step's begin, and where the last one's end
    types.CPointer(types.float32),  # learning rates
    types.int64,  # how many steps
    types.int64,  # training: 1 to train, 0 to write logits
    types.CPointer(types.float32),  # logits, example after example; not written where `training` is 1
    types.CPointer(types.float64),  # loss and count of correct answers, summed
)

Function = Callable[..., Any]


def step_loop(plan: Plan) -> Function:
    """The function of `SIGNATURE` that runs a plan, for Numba to compile."""
    gather = _gather(plan)
    train, predict = _train_step(plan, gather), _predict_step(plan, gather)

    def run(  # type: ignore[no-untyped-def]  # Numba has SIGNATURE
        memory, lane_data, pixels, images, labels, examples, offsets, rates, steps, training, out, result
    ):
        loss_sum, correct = 0.0, 0.0
        state = flush()
        for step in range(steps):
            first, stop = np.int64(offsets[step]), np.int64(offsets[step + 1])
            if stop <= first:
                continue
            if training:
                loss_sum, correct = train(
                    memory, lane_data, pixels, images, labels, examples, first, stop, rates[step], loss_sum, correct
                )
            else:
                predict(memory, lane_data, pixels, images, examples, first, stop, out)
        restore(state)
        result[0], result[1] = loss_sum, correct

    return run


def _train_step(plan: Plan, gather: Function) -> Function:
    """One SGD step on the examples from `first` to `stop`; returns the sums with this step's added.

    It is inlined: what Numba compiles by itself, kernels and all, is optimised a second time with its caller.
    """
    lanes, step = plan.layout.lanes, plan.layout.step
    rate_at, weight_at = step.rate, step.weight
    exp_sum, target_sum, target_dot, is_correct = step.exp_sum, step.target_sum, step.target_dot, step.correct
    augment, scale, forward = map(_phase, (plan.augment, plan.scale, plan.forward))
    loss, backward, panel = map(_phase, (plan.loss, plan.backward, plan.panel))
    clear, update = _phase(plan.clear), _phase(plan.update)

    @njit(error_model="numpy", inline="always")
    def train(  # type: ignore[no-untyped-def]  # Numba infers them
        memory, lane_data, pixels, images, labels, examples, first, stop, rate, loss_sum, correct
    ):
        for lane in range(lanes):
            memory[rate_at + lane] = rate
        clear(memory, lane_data, pixels, 0)
        slot = 0
        for start in range(first, stop, lanes):
            count = min(lanes, stop - start)
            for lane in range(lanes):
                number = examples[start + lane] if lane < count else 0
                lane_data[EXAMPLES * lanes + lane] = number
                memory[weight_at + lane] = 1 / (stop - first) if lane < count else 0
                lane_data[LABELS * lanes + lane] = labels[np.int64(number)] if lane < count else -1
            augment(memory, lane_data, pixels, 0)
            gather(pixels, images, lane_data, count, True)
            scale(memory, lane_data, pixels, 0)
            forward(memory, lane_data, pixels, slot)
            loss(memory, lane_data, pixels, slot)
            for lane in range(count):
                log_sum = math.log(np.float64(memory[exp_sum + lane]))
                loss_sum += memory[target_sum + lane] * log_sum - memory[target_dot + lane]
                correct += memory[is_correct + lane]
            backward(memory, lane_data, pixels, slot)
            slot += 1
            if slot == PANEL or start + lanes >= stop:
                panel(memory, lane_data, pixels, slot)
                slot = 0
        update(memory, lane_data, pixels, 0)
        return loss_sum, correct

    return train


def _predict_step(plan: Plan, gather: Function) -> Function:
    """The logits of the examples from `first` to `stop`: in blocks, and a few that are left over one by one."""
    layout, lanes, classes = plan.layout, plan.layout.lanes, plan.network.classes
    size, logits, most_single = math.prod(plan.network.input_shape), layout.values[-1], layout.most_single_examples
    scale, forward, single = map(_phase, (plan.scale, plan.predict, plan.single_example))

    @njit(error_model="numpy", inline="always")
    def predict(memory, lane_data, pixels, images, examples, first, stop, out):  # type: ignore[no-untyped-def]  # Numba
        for start in range(first, stop, lanes):
            count = min(lanes, stop - start)
            if count <= most_single:
                for n in range(start, start + count):
                    source = np.int64(examples[n]) * size
                    for i in range(size):
                        pixels[i] = images[source + i]
                    single(memory, lane_data, pixels, 0)
                    for c in range(classes):
                        out[n * classes + c] = memory[logits + c]
                continue
            for lane in range(lanes):
                lane_data[EXAMPLES * lanes + lane] = examples[start + lane] if lane < count else 0
            gather(pixels, images, lane_data, count, False)
            scale(memory, lane_data, pixels, 0)
            forward(memory, lane_data, pixels, 0)
            for lane in range(count):
                for c in range(classes):
                    out[(start + lane) * classes + c] = memory[logits + c * lanes + lane]

    return predict


def _gather(plan: Plan) -> Function:
    """Brings the bytes of a block's images together, flipped and shifted in training; zeros for unused lanes."""
    lanes, length, augmented = plan.layout.lanes, plan.layout.pixels, bool(plan.augment)
    channels, height, width = plan.network.input_shape
    size = channels * height * width

    @njit(error_model="numpy")
    def copy(pixels, target, images, source, flip, down, across):  # type: ignore[no-untyped-def]  # Numba infers them
        """One image, flipped and shifted, zeros moving in."""
        for channel in range(channels):
            for i in range(height):
                to = target + (channel * height + i) * width
                row = i - down
                inside = row >= 0 and row < height
                begin = source + (channel * height + row) * width
                for j in range(width):
                    column = j - across
                    if inside and column >= 0 and column < width:
                        pixels[to + j] = images[begin + (width - 1 - column if flip else column)]
                    else:
                        pixels[to + j] = 0

    @njit(error_model="numpy")
    def gather(pixels, images, lane_data, count, training):  # type: ignore[no-untyped-def]  # Numba infers them
        for lane in range(lanes):
            target = lane * length
            if lane >= count:
                for n in range(size):
                    pixels[target + n] = 0
                continue
            source = np.int64(lane_data[EXAMPLES * lanes + lane]) * size
            if augmented and training:
                flip = lane_data[FLIPS * lanes + lane]
                down, across = lane_data[DOWN * lanes + lane], lane_data[ACROSS * lanes + lane]
                copy(pixels, target, images, source, flip, np.int64(down), np.int64(across))
            else:
                for n in range(size):
                    pixels[target + n] = images[source + n]

    return gather


def _phase(kernels: Sequence[Kernel]) -> Function:
    """Kernels as one call that Numba can compile."""

    @intrinsic
    def call(typingctx: Any, memory: Any, lane_data: Any, pixels: Any, slot: Any) -> Any:
        def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            for kernel in kernels:
                builder.call(kernel.function(builder.module), arguments)
            return context.get_dummy_value()

        return types.void(memory, lane_data, pixels, types.int64), codegen

    return call
