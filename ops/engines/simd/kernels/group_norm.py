"""Group norm on vectors: every example has moments of its own, so each lane keeps to itself.

With the equations and names of `ops.normalization`. A group's channels lie one after another, so that its moments are
sums over one piece of memory. Sums are taken by several accumulators in turn, which are added pairwise at the end.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod

from ops.engines.simd.codegen.code import Code, Index, Vec
from ops.engines.simd.codegen.contraction import split, zero_accumulators
from ops.engines.simd.codegen.kernel import Kernel
from ops.engines.simd.kernels.base import UniformKernels, register
from ops.engines.simd.kernels.buffers import Buffers
from ops.layers import GroupNorm

IN_TURN = 8
"""Accumulators of a sum: an addition takes four cycles, and two can begin in each."""


@register(GroupNorm)
class GroupNormKernels(UniformKernels):
    """y = w x̂ + b. Mean and 1 / deviation of the block's groups are kept for the backward pass."""

    layer: GroupNorm
    fuses_activation = True
    fuses_slope = True

    def block_workspace(self) -> dict[str, int]:
        return {"mean": self.layer.groups, "scale": self.layer.groups}

    def backward(self, buffers: Buffers) -> list[Kernel]:
        return [self.kernel("backward", self._backward(buffers))]

    @property
    def channels(self) -> int:
        """Channels of a group."""
        return self.x_shape[0] // self.layer.groups

    @property
    def places(self) -> int:
        """Numbers of a channel."""
        return prod(self.x_shape[1:])

    def write_forward(self, buffers: Buffers) -> Callable[[Code], None]:
        weight, bias = buffers.parameter("weight"), buffers.parameter("bias")
        mean_at, scale_at = (buffers.workspace[name].start for name in ("mean", "scale"))
        numbers = self.channels * self.places

        def write(code: Code) -> None:
            share = code.constant(1 / numbers)

            def number(at: Index) -> list[Vec]:
                return [code.load(at * code.lanes + buffers.x)]

            with code.loop(0, self.layer.groups) as group:
                (total,) = _sums(code, group * numbers, numbers, number)
                mean = total * share

                def square(at: Index) -> list[Vec]:
                    centred = number(at)[0] - mean
                    return [centred * centred]

                (squares,) = _sums(code, group * numbers, numbers, square)
                variance = squares.fma(share, code.constant(self.layer.epsilon))
                scale = code.constant(1) / code.call("sqrt", variance)
                code.store(mean, group * code.lanes + mean_at)
                code.store(scale, group * code.lanes + scale_at)
                with code.loop(0, self.channels) as of_group:
                    channel = group * self.channels + of_group
                    factor, addend = scale * code.broadcast(channel + weight), code.broadcast(channel + bias)
                    with code.loop(0, self.places) as place:
                        at = channel * self.places + place
                        result = (number(at)[0] - mean).fma(factor, addend)
                        buffers.store_result(code, result, at * code.lanes)

        return write

    def _backward(self, buffers: Buffers) -> Callable[[Code], None]:
        weight, sums = buffers.parameter("weight"), buffers.lane_sums
        mean_at, scale_at = (buffers.workspace[name].start for name in ("mean", "scale"))
        numbers = self.channels * self.places

        def write(code: Code) -> None:
            dy_at = buffers.output_gradient().at(code)
            share = code.constant(1 / numbers)

            def add(value: Vec, at: Index) -> None:
                code.store(code.load(at) + value, at)

            with code.loop(0, self.layer.groups) as group:
                mean, scale = (code.load(group * code.lanes + start) for start in (mean_at, scale_at))

                def pair(at: Index) -> tuple[Vec, Vec]:
                    """dy and x - mean."""
                    place = at * code.lanes
                    return code.load(place + dy_at), code.load(place + buffers.x) - mean

                def terms(at: Index) -> list[Vec]:
                    dy, centred = pair(at)
                    return [dy, dy * centred]

                of_gradient, of_products = zero_accumulators(code, 2)  # the sums of dx̂ and of dx̂ x̂
                with code.loop(0, self.channels) as of_group:
                    channel = group * self.channels + of_group
                    dbias, products = _sums(code, channel * self.places, self.places, terms, 2)
                    dweight, factor = products * scale, code.broadcast(channel + weight)
                    add(dbias, channel * code.lanes + sums["bias"])
                    add(dweight, channel * code.lanes + sums["weight"])
                    of_gradient.set(factor.fma(dbias, of_gradient.get()))
                    of_products.set(factor.fma(dweight, of_products.get()))
                if not buffers.dx:
                    return
                constant = of_gradient.get() * share * scale
                slope = of_products.get() * share * scale * scale
                with code.loop(0, self.channels) as of_group:
                    channel = group * self.channels + of_group
                    factor = scale * code.broadcast(channel + weight)
                    with code.loop(0, self.places) as place:
                        at = channel * self.places + place
                        dy, centred = pair(at)
                        gradient = dy.fma(factor, -constant) - centred * slope
                        buffers.store_gradient(code, gradient, at * code.lanes)

        return write


def _sums(code: Code, first: Index, count: int, terms: Callable[[Index], Sequence[Vec]], sums: int = 1) -> list[Vec]:
    """So many sums of the terms of `count` numbers from `first` on."""
    in_turn = [zero_accumulators(code, sums) for _ in range(min(IN_TURN, count))]
    for start, rounds, many in split(count, IN_TURN):
        with code.loop(0, rounds) as turn:
            for totals, number in zip(in_turn, range(many), strict=False):
                for total, value in zip(totals, terms(first + (turn * many + (start + number))), strict=True):
                    total.set(total.get() + value)
    return [_pairwise([totals[which].get() for totals in in_turn]) for which in range(sums)]


def _pairwise(values: list[Vec]) -> Vec:
    """Their sum, added in pairs, and pairs of pairs."""
    if len(values) == 1:
        return values[0]
    half = len(values) // 2
    return _pairwise(values[:half]) + _pairwise(values[half:])
