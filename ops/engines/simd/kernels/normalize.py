"""Normalize on vectors: each channel less its mean, divided by its deviation."""

from __future__ import annotations

from collections.abc import Callable
from math import prod

from ops.engines.simd.codegen.code import Code, Index, Vec
from ops.engines.simd.codegen.kernel import Kernel
from ops.engines.simd.kernels.base import UniformKernels, register
from ops.engines.simd.kernels.buffers import Buffers
from ops.layers import Normalize


@register(Normalize)
class NormalizeKernels(UniformKernels):
    """y = (x - mean) / deviation."""

    layer: Normalize
    fuses_activation = True
    fuses_slope = True

    def backward(self, buffers: Buffers) -> list[Kernel]:
        def write(code: Code) -> None:
            dy_at = buffers.output_gradient().at(code)

            def put(at: Index, mean: Vec, deviation: Vec) -> None:
                buffers.store_gradient(code, code.load(at + dy_at) / deviation, at)

            self._each(code, put)

        return [self.kernel("backward", write)] if buffers.dx else []

    def write_forward(self, buffers: Buffers) -> Callable[[Code], None]:
        def write(code: Code) -> None:
            def put(at: Index, mean: Vec, deviation: Vec) -> None:
                buffers.store_result(code, (code.load(at + buffers.x) - mean) / deviation, at)

            self._each(code, put)

        return write

    def _each(self, code: Code, put: Callable[[Index, Vec, Vec], None]) -> None:
        """Call `put` for each place, with its offset and its channel's two numbers."""
        self.layer.check_filled()
        channels, places = self.x_shape[0], prod(self.x_shape[1:])
        means, deviations = code.table(list(self.layer.means)), code.table(list(self.layer.deviations))
        with code.loop(0, channels) as channel:
            mean, deviation = (code.splat(code.table_entry(table, channel)) for table in (means, deviations))
            with code.loop(0, places) as place:
                put((channel * places + place) * code.lanes, mean, deviation)
