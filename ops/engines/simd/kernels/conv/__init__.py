"""Convolution on vectors.

Each kernel walks over rows of the plane. Tables say which rows meet through which taps, so that a stride, padding or
dilation costs nothing where it is 1, 0 or 1, and no product with padding is ever taken. Along a row, tiles of a few
columns times a few channels of sums stay in registers (see `ops.engines.simd.codegen.contraction`).
"""

from __future__ import annotations

from functools import partial

from ops.engines.simd.codegen.code import Code
from ops.engines.simd.codegen.kernel import Kernel
from ops.engines.simd.kernels.base import LayerKernels, register
from ops.engines.simd.kernels.bias import bias_gradient
from ops.engines.simd.kernels.buffers import Buffers
from ops.engines.simd.kernels.conv.forward import forward
from ops.engines.simd.kernels.conv.geometry import ConvGeometry
from ops.engines.simd.kernels.conv.input_gradient import input_gradient
from ops.engines.simd.kernels.conv.single_example import forward_single
from ops.engines.simd.kernels.conv.weight_gradient import weight_gradient
from ops.layers import Conv2D
from ops.network import Network


@register(Conv2D)
class ConvKernels(LayerKernels):
    """y = w * x + b. With a horizontal stride, one example by itself is done number by number."""

    layer: Conv2D
    fuses_activation = True
    fuses_slope = True

    def __init__(self, network: Network, position: int) -> None:
        super().__init__(network, position)
        self.geometry = ConvGeometry.of(self.layer, self.x_shape)
        self.is_slow_single = self.geometry.stride[1] != 1

    @property
    def flops(self) -> int:
        return self.geometry.flops

    def forward(self, buffers: Buffers) -> list[Kernel]:
        return [self.kernel("forward", self._forward(buffers), self.flops)]

    def single_example(self, buffers: Buffers) -> list[Kernel]:
        if self.is_slow_single:
            return [self.kernel("single_example", self._forward(buffers), lanes=1)]
        return [self.kernel("single_example", partial(forward_single, geometry=self.geometry, buffers=buffers))]

    def backward(self, buffers: Buffers) -> list[Kernel]:
        dy, (outputs, height, width) = buffers.output_gradient(), self.y_shape

        def write_weight(code: Code) -> None:
            weight_gradient(code, self.geometry, buffers.x, dy.at(code), buffers.lane_sums["weight"])

        def write_bias(code: Code) -> None:
            bias_gradient(code, outputs, height * width, dy.at(code), buffers.lane_sums["bias"])

        def write_input(code: Code) -> None:
            input_gradient(code, self.geometry, dy.at(code), buffers.parameter("weight"), buffers.store_gradient)

        kernels = [self.kernel("weight_gradient", write_weight, self.flops)]
        if self.layer.bias:
            kernels.append(self.kernel("bias_gradient", write_bias))
        if buffers.dx:
            kernels.append(self.kernel("input_gradient", write_input, self.flops))
        return kernels

    def _forward(self, buffers: Buffers) -> partial[None]:
        weight = buffers.parameter("weight")
        return partial(
            forward,
            geometry=self.geometry,
            x=buffers.x,
            weight=weight,
            bias=buffers.bias(),
            epilogue=buffers.store_result,
        )
