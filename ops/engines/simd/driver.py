"""The round itself, compiled by Numba: steps, blocks, the way of an example's bytes, and the kernels in their order."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numba import njit, types
from numba.extending import intrinsic

from ops.engines.simd.alone import few
from ops.engines.simd.denormals import flush, restore
from ops.engines.simd.draws import ACROSS, DOWN, EXAMPLES, FLIPS, LABELS
from ops.engines.simd.kernel import Kernel
from ops.engines.simd.layout import PANEL
from ops.engines.simd.plan import Plan

SIGNATURE = types.void(
    types.CPointer(types.float32),  # memory: see ops.engines.simd.layout
    types.CPointer(types.int32),  # draws: see ops.engines.simd.draws
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


def program(plan: Plan) -> Callable[..., None]:
    """The function of `SIGNATURE` that runs a plan, for Numba to compile."""
    layout, lanes, length = plan.layout, plan.layout.lanes, plan.layout.pixels
    draw, scale, forward = map(_phase, (plan.draw, plan.scale, plan.forward))
    predict, alone = map(_phase, (plan.predict, plan.alone))
    loss, backward, panel = map(_phase, (plan.loss, plan.backward, plan.panel))
    clear, update = map(_phase, (plan.clear, plan.update))
    channels, height, width = plan.network.input_shape
    size, augmented = channels * height * width, bool(plan.draw)
    classes, logits, share, rate = plan.network.classes, layout.values[-1], layout.share, layout.rate
    total, dot, hit, singles = layout.total, layout.dot, layout.hit, few(layout)

    @njit(error_model="numpy")
    def copy(pixels, target, images, source, flip, down, across):  # type: ignore[no-untyped-def]  # Numba infers them
        """One image, flipped and moved, zeros moving in."""
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
    def gather(pixels, images, draws, count, training):  # type: ignore[no-untyped-def]  # Numba infers them
        """The bytes of a block's images; zeros for lanes without an example."""
        for lane in range(lanes):
            target = lane * length
            if lane >= count:
                for n in range(size):
                    pixels[target + n] = 0
                continue
            source = np.int64(draws[EXAMPLES * lanes + lane]) * size
            if augmented and training:
                flip, down, across = (
                    draws[FLIPS * lanes + lane],
                    draws[DOWN * lanes + lane],
                    draws[ACROSS * lanes + lane],
                )
                copy(pixels, target, images, source, flip, np.int64(down), np.int64(across))
            else:
                for n in range(size):
                    pixels[target + n] = images[source + n]

    @njit(error_model="numpy")
    def one(pixels, images, source):  # type: ignore[no-untyped-def]  # Numba infers them
        """The bytes of an image by itself."""
        for n in range(size):
            pixels[n] = images[source + n]

    def run(  # type: ignore[no-untyped-def]  # Numba has SIGNATURE
        memory, draws, pixels, images, labels, examples, offsets, rates, steps, training, out, result
    ):
        loss_sum, correct = 0.0, 0.0
        state = flush()
        for step in range(steps):
            first, stop = np.int64(offsets[step]), np.int64(offsets[step + 1])
            if stop <= first:
                continue
            if training:
                for lane in range(lanes):
                    memory[rate + lane] = rates[step]
                clear(memory, draws, pixels, 0)
            slot = 0
            for start in range(first, stop, lanes):
                count = min(lanes, stop - start)
                if not training and count <= singles:
                    for n in range(start, start + count):
                        one(pixels, images, np.int64(examples[n]) * size)
                        alone(memory, draws, pixels, 0)
                        for c in range(classes):
                            out[n * classes + c] = memory[logits + c]
                    continue
                for lane in range(lanes):
                    draws[EXAMPLES * lanes + lane] = examples[start + lane] if lane < count else 0
                    memory[share + lane] = 1 / (stop - first) if lane < count else 0
                if training:
                    for lane in range(lanes):
                        number = np.int64(draws[EXAMPLES * lanes + lane])
                        draws[LABELS * lanes + lane] = labels[number] if lane < count else -1
                    draw(memory, draws, pixels, 0)
                gather(pixels, images, draws, count, training)
                scale(memory, draws, pixels, 0)
                if not training:
                    predict(memory, draws, pixels, 0)
                    for lane in range(count):
                        for c in range(classes):
                            out[(start + lane) * classes + c] = memory[logits + c * lanes + lane]
                    continue
                forward(memory, draws, pixels, slot)
                loss(memory, draws, pixels, slot)
                for lane in range(count):
                    loss_sum += math.log(np.float64(memory[total + lane])) - memory[dot + lane]
                    correct += memory[hit + lane]
                backward(memory, draws, pixels, slot)
                slot += 1
                if slot == PANEL or start + lanes >= stop:
                    panel(memory, draws, pixels, slot)
                    slot = 0
            if training:
                update(memory, draws, pixels, 0)
        restore(state)
        result[0], result[1] = loss_sum, correct

    return run


def _phase(kernels: Sequence[Kernel]) -> Callable[..., None]:
    """Kernels as one call that Numba can compile."""

    @intrinsic
    def call(typingctx: Any, memory: Any, draws: Any, pixels: Any, slot: Any) -> Any:
        def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            for kernel in kernels:
                builder.call(kernel.function(builder.module), arguments)
            return context.get_dummy_value()

        return types.void(memory, draws, pixels, types.int64), codegen

    return call
