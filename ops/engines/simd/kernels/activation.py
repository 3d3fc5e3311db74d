"""Activations on vectors, and their slopes as functions of their results."""

from __future__ import annotations

from functools import partial

from ops.engines.simd.codegen import numerics
from ops.engines.simd.codegen.code import Code, Vec
from ops.engines.simd.codegen.kernel import Kernel
from ops.engines.simd.kernels.base import LayerKernels, register
from ops.engines.simd.kernels.buffers import Buffers
from ops.engines.simd.kernels.elementwise import map_elements
from ops.layers import LeakyReLU, ReLU, Sigmoid, Tanh


class ActivationKernels(LayerKernels):
    """An activation: a subclass gives `value` and `slope`.

    The layer in front applies `value` to its own results, and the layer behind applies `slope` to what it sends back,
    where they can. Kernels are made for what is left.
    """

    shares_gradient = True

    def value(self, code: Code, x: Vec) -> Vec:
        """f(x)."""
        raise NotImplementedError  # each activation has its own

    def slope(self, code: Code, dy: Vec, y: Vec) -> Vec:
        """dy f'(x), from y = f(x)."""
        raise NotImplementedError  # each activation has its own

    def forward(self, buffers: Buffers) -> list[Kernel]:
        return self._map("forward", self.elements, buffers)

    def single_example(self, buffers: Buffers) -> list[Kernel]:
        return self._map("single_example", self.single_vectors, buffers)

    def backward(self, buffers: Buffers) -> list[Kernel]:
        def write(code: Code) -> None:
            gradient = buffers.output_gradient().at(code)
            with code.loop(0, self.elements) as n:
                place = n * code.lanes + gradient
                code.store(self.slope(code, code.load(place), code.load(n * code.lanes + buffers.y)), place)

        return [] if buffers.slope_applied else [self.kernel("backward", write)]

    def _map(self, what: str, vectors: int, buffers: Buffers) -> list[Kernel]:
        write = partial(map_elements, function=self.value, vectors=vectors, x=buffers.x, y=buffers.y)
        return [self.kernel(what, write)] if buffers.x != buffers.y else []


@register(Sigmoid)
class SigmoidKernels(ActivationKernels):
    """1 / (1 + exp(-x))."""

    def value(self, code: Code, x: Vec) -> Vec:
        return numerics.sigmoid(code, x)

    def slope(self, code: Code, dy: Vec, y: Vec) -> Vec:
        return dy * (y * (code.constant(1) - y))


@register(Tanh)
class TanhKernels(ActivationKernels):
    """tanh x."""

    def value(self, code: Code, x: Vec) -> Vec:
        return numerics.tanh(code, x)

    def slope(self, code: Code, dy: Vec, y: Vec) -> Vec:
        return dy * (-y).fma(y, code.constant(1))


@register(ReLU)
class ReLUKernels(ActivationKernels):
    """max(x, 0)."""

    def value(self, code: Code, x: Vec) -> Vec:
        # the comparison with < keeps NaN
        return code.select(x.compare("<", code.constant(0)), code.constant(0), x)

    def slope(self, code: Code, dy: Vec, y: Vec) -> Vec:
        return code.select(y.compare(">", code.constant(0)), dy, code.constant(0))


@register(LeakyReLU)
class LeakyReLUKernels(ActivationKernels):
    """x where x > 0, else the negative slope times x."""

    layer: LeakyReLU

    def value(self, code: Code, x: Vec) -> Vec:
        return code.select(x.compare(">", code.constant(0)), x, code.constant(self.layer.negative_slope) * x)

    def slope(self, code: Code, dy: Vec, y: Vec) -> Vec:
        return code.select(y.compare(">", code.constant(0)), dy, code.constant(self.layer.negative_slope) * dy)
