"""Dropout: masks drawn in the kernel, kept for the backward pass."""

from __future__ import annotations

from functools import partial

from ops.engines.simd.codegen.code import Code
from ops.engines.simd.codegen.kernel import Kernel
from ops.engines.simd.codegen.rng import philox
from ops.engines.simd.kernels.base import LayerKernels, register
from ops.engines.simd.kernels.buffers import Buffers
from ops.engines.simd.kernels.elementwise import identity, map_elements
from ops.layers import Dropout


@register(Dropout)
class DropoutKernels(LayerKernels):
    """y = x times the mask of `ops.dropout`; when predicting y = x."""

    layer: Dropout
    fuses_slope = True

    def block_workspace(self) -> dict[str, int]:
        return {"mask": self.elements}

    def forward(self, buffers: Buffers) -> list[Kernel]:
        rate, mask = self.layer.rate, buffers.workspace["mask"].start

        def write(code: Code) -> None:
            threshold = code.int_constant(min(round(rate * 2**32), 2**32 - 1))
            scale, zero = code.constant(1 / (1 - rate)), code.constant(0)
            with code.loop(0, -(-self.elements // 4)) as quarter:
                for n, word in enumerate(philox(code, quarter, 2 + self.position)):
                    kept = code.select(code.builder.icmp_unsigned(">=", word, threshold), scale, zero)
                    place = quarter * (4 * code.lanes) + n * code.lanes
                    code.store(kept, place + mask)
                    code.store(code.load(place + buffers.x) * kept, place + buffers.y)

        return [self.kernel("forward", write)]

    def predict(self, buffers: Buffers) -> list[Kernel]:
        return [self._copy("copy", self.elements, buffers)]

    def single_example(self, buffers: Buffers) -> list[Kernel]:
        return [self._copy("single_example", self.single_vectors, buffers)]

    def backward(self, buffers: Buffers) -> list[Kernel]:
        def write(code: Code) -> None:
            with code.loop(0, self.elements) as n:
                place = n * code.lanes
                dy = code.load(place + buffers.output_gradient().at(code))
                buffers.store_gradient(code, dy * code.load(place + buffers.workspace["mask"].start), place)

        return [self.kernel("backward", write)] if buffers.dx else []

    def _copy(self, what: str, vectors: int, buffers: Buffers) -> Kernel:
        return self.kernel(what, partial(map_elements, function=identity, vectors=vectors, x=buffers.x, y=buffers.y))
