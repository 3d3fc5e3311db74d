"""Flatten: the same numbers in the same places."""

from __future__ import annotations

from ops.engines.simd.codegen.kernel import Kernel
from ops.engines.simd.kernels.base import LayerKernels, register
from ops.engines.simd.kernels.buffers import Buffers
from ops.layers import Flatten


@register(Flatten)
class FlattenKernels(LayerKernels):
    """Nothing to do."""

    shares_values = True
    shares_gradient = True

    def forward(self, buffers: Buffers) -> list[Kernel]:
        return []

    def single_example(self, buffers: Buffers) -> list[Kernel]:
        return []
