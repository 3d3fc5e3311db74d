"""Pooling on vectors: the largest or the mean of each window, and the gradient for the input."""

from __future__ import annotations

from collections.abc import Callable

from ops.engines.simd.codegen.code import Accumulator, Code, Offset, Vec
from ops.engines.simd.codegen.kernel import Kernel
from ops.engines.simd.kernels.base import UniformKernels, register
from ops.engines.simd.kernels.buffers import Buffers, Epilogue
from ops.engines.simd.kernels.pool.windows import PoolGeometry, Window, window_offsets, windows
from ops.layers import AvgPool2D, MaxPool2D
from ops.network import Network


class PoolKernels(UniformKernels):
    """What both kinds share. Where the windows partition the plane, dx is written once, else it is added up."""

    layer: MaxPool2D | AvgPool2D

    def __init__(self, network: Network, position: int) -> None:
        super().__init__(network, position)
        self.geometry = PoolGeometry.of(self.layer, self.x_shape)
        self.fuses_slope = self.overwrites_input = self.geometry.partitions_plane

    def reduce(self, code: Code, window: Window, x: int) -> Vec:
        """The result of a window."""
        raise NotImplementedError  # the maximum and the mean have their own

    def spread(self, code: Code, window: Window, dy: Vec, buffers: Buffers, add: Epilogue) -> None:
        """Hand each number of a window its part of the gradient dy: `add(code, part, offset)`."""
        raise NotImplementedError  # the maximum and the mean have their own

    def backward(self, buffers: Buffers) -> list[Kernel]:
        def write(code: Code) -> None:
            dy, dx = buffers.output_gradient().at(code), buffers.input_gradient().at(code)
            add = buffers.store_gradient if self.fuses_slope else _adder(dx)
            if not self.fuses_slope:
                with code.loop(0, self.elements) as n:
                    code.store(code.constant(0), n * code.lanes + dx)
            for window in windows(code, self.geometry):
                self.spread(code, window, code.load(window.y + dy), buffers, add)

        return [self.kernel("backward", write)] if buffers.dx else []

    def write_forward(self, buffers: Buffers) -> Callable[[Code], None]:
        def write(code: Code) -> None:
            for window in windows(code, self.geometry):
                code.store(self.reduce(code, window, buffers.x), window.y + buffers.y)

        return write


@register(MaxPool2D)
class MaxPoolKernels(PoolKernels):
    """The largest number of each window; its gradient goes to the first of equal ones."""

    def reduce(self, code: Code, window: Window, x: int) -> Vec:
        largest = Accumulator(code)
        largest.set(code.constant(float("-inf")))
        for offset in window_offsets(code, self.geometry, window):
            number, so_far = code.load(offset + x), largest.get()
            largest.set(_larger(code, number, so_far))
        return largest.get()

    def spread(self, code: Code, window: Window, dy: Vec, buffers: Buffers, add: Epilogue) -> None:
        remaining = Accumulator(code)
        remaining.set(dy)
        largest = code.load(window.y + buffers.y)
        for offset in window_offsets(code, self.geometry, window):
            rest, zero = remaining.get(), code.constant(0)
            is_largest = code.load(offset + buffers.x).compare("==", largest)
            part = code.select(is_largest, rest, zero)
            remaining.set(code.select(is_largest, zero, rest))
            add(code, part, offset)


@register(AvgPool2D)
class AvgPoolKernels(PoolKernels):
    """The mean of each window; its gradient is shared equally."""

    def reduce(self, code: Code, window: Window, x: int) -> Vec:
        total = Accumulator(code)
        total.set(code.constant(0))
        for offset in window_offsets(code, self.geometry, window):
            number, so_far = code.load(offset + x), total.get()
            total.set(so_far + number)
        return total.get() * code.constant(1 / window.count)

    def spread(self, code: Code, window: Window, dy: Vec, buffers: Buffers, add: Epilogue) -> None:
        part = dy * code.constant(1 / window.count)
        for offset in window_offsets(code, self.geometry, window):
            add(code, part, offset)


def _adder(dx: Offset) -> Epilogue:
    """What adds each part to the gradient for the input at `dx`."""

    def add(code: Code, part: Vec, offset: Offset) -> None:
        code.store(code.load(offset + dx) + part, offset + dx)

    return add


def _larger(code: Code, number: Vec, so_far: Vec) -> Vec:
    """The larger number, the earlier of equal ones; NaN counts as the largest."""
    builder = code.builder
    better = builder.or_(
        builder.fcmp_ordered(">", number.value, so_far.value),
        builder.fcmp_unordered("uno", number.value, number.value),
    )
    return code.select(better, number, so_far)
