"""Dense layers: their result, and their gradients for the input and, for many examples at once, the weights."""

from __future__ import annotations

from functools import partial

from ops.engines.simd.codegen.code import Accumulator, Code, Offset, Vec
from ops.engines.simd.codegen.contraction import add_products, split, tile_shape, zero_accumulators
from ops.engines.simd.codegen.kernel import Kernel
from ops.engines.simd.kernels.base import LayerKernels, register
from ops.engines.simd.kernels.bias import bias_gradient
from ops.engines.simd.kernels.buffers import Area, Buffers, Epilogue, Parameter, padded
from ops.layers import Dense

UNROLL = 4
"""Inputs to a turn of the innermost loop of the forward pass."""


@register(Dense)
class DenseKernels(LayerKernels):
    """y = w x + b. The gradient for w takes the examples of a whole panel at once."""

    layer: Dense
    fuses_activation = True
    fuses_slope = True
    keeps_panel = True
    row_parameters = ("weight",)
    transposed_parameters = ("weight",)

    @property
    def flops(self) -> int:
        return 2 * self.layer.units * self.x_shape[0]

    def panel_workspace(self) -> dict[str, int]:
        return {"rows": padded(self.elements)}

    def forward(self, buffers: Buffers) -> list[Kernel]:
        weight, start = buffers.parameters["weight"], buffers.parameter("weight")
        write = partial(
            forward, weight=weight, x=buffers.x, start=start, bias=buffers.bias(), epilogue=buffers.store_result
        )
        return [self.kernel("forward", write, self.flops)]

    def single_example(self, buffers: Buffers) -> list[Kernel]:
        return [
            self.kernel("single_example", partial(forward_single, weight=buffers.parameters["weight"], buffers=buffers))
        ]

    def backward(self, buffers: Buffers) -> list[Kernel]:
        dy, rows = buffers.output_gradient(), buffers.workspace["rows"]

        def write_rows(code: Code) -> None:
            copy_examples(code, self.elements, buffers.x, rows.at(code))

        def write_bias(code: Code) -> None:
            bias_gradient(code, self.layer.units, 1, dy.at(code), buffers.lane_sums["bias"])

        def write_input(code: Code) -> None:
            weight = buffers.parameters["weight"]
            input_gradient(code, weight, dy.at(code), buffers.parameter("weight"), buffers.store_gradient)

        kernels = [self.kernel("copy_examples", write_rows)]
        if self.layer.bias:
            kernels.append(self.kernel("bias_gradient", write_bias))
        if buffers.dx:
            kernels.append(self.kernel("input_gradient", write_input, self.flops))
        return kernels

    def panel(self, buffers: Buffers) -> list[Kernel]:
        weight = buffers.parameters["weight"]
        write = partial(
            weight_gradient,
            weight=weight,
            dy=buffers.output_gradient(),
            rows=buffers.workspace["rows"],
            gradient=buffers.gradient + weight.start,
        )
        return [self.kernel("weight_gradient", write, self.flops)]


def forward(code: Code, weight: Parameter, x: int, start: int, bias: int | None, epilogue: Epilogue) -> None:
    """y[o] = b[o] + sum over k of w[o, k] x[k]. x, start, bias: where input, weights and bias are."""
    stride = weight.stride
    for first, count, many in split(weight.rows, tile_shape(1, weight.rows)[1]):
        with code.loop(0, count) as part:
            o = part * many + first
            sums = zero_accumulators(code, many)
            if bias is not None:
                for j, total in enumerate(sums):
                    total.set(code.broadcast(o + (bias + j)))
            for k_first, k_count, ks in split(weight.columns, UNROLL):
                terms = [(j, k * code.lanes, j * stride + k) for k in range(ks) for j in range(many)]
                with code.loop(0, k_count) as turn:
                    k = turn * ks + k_first
                    a, b = code.address(k * code.lanes + x), code.address(o * stride + k + start)
                    add_products(sums, terms, (code.load, a), (code.broadcast, b))
            for j, total in enumerate(sums):
                epilogue(code, total.get(), o * code.lanes + j * code.lanes)


def input_gradient(code: Code, weight: Parameter, dy: Offset, start: int, epilogue: Epilogue) -> None:
    """dx[k] = sum over o of w[o, k] dy[o]."""
    stride = weight.stride
    for first, count, many in split(weight.columns, tile_shape(1, weight.columns)[1]):
        with code.loop(0, count) as part:
            k = part * many + first
            sums = zero_accumulators(code, many)
            for o_first, o_count, os in split(weight.rows, 2):
                terms = [(j, o * code.lanes, o * stride + j) for o in range(os) for j in range(many)]
                with code.loop(0, o_count) as turn:
                    o = turn * os + o_first
                    a, b = code.address(o * code.lanes + dy), code.address(o * stride + k + start)
                    add_products(sums, terms, (code.load, a), (code.broadcast, b))
            for j, total in enumerate(sums):
                epilogue(code, total.get(), k * code.lanes + j * code.lanes)


def copy_examples(code: Code, elements: int, x: int, rows: Offset) -> None:
    """Write the block's x once more, example after example, for `weight_gradient`."""
    length = padded(elements)
    with code.loop(0, length, code.lanes) as k:
        columns = [code.load(k * code.lanes + (x + n * code.lanes)).value for n in range(code.lanes)]
        for lane, values in enumerate(code.transpose(columns)):
            code.store(Vec(code, values), k + rows + lane * length)


def weight_gradient(code: Code, weight: Parameter, dy: Area, rows: Area, gradient: int) -> None:
    """dw[o, k] += sum of dy[o] x[k] over the panel's examples, a vector of k at a time.

    Args:
        code: The kernel; `code.slot` is how many blocks the panel has.
        weight: The shape of the weights.
        dy: The output gradients of the panel's blocks.
        rows: Their inputs, as `copy_examples` left them.
        gradient: Where dw is.
    """
    length = weight.stride
    across, down = tile_shape(length // code.lanes, weight.rows)
    for o_first, o_count, os in split(weight.rows, down):
        for k_first, k_count, ks in split(length // code.lanes, across):
            with code.loop(0, o_count) as o_part, code.loop(0, k_count) as k_part:
                o = o_part * os + o_first
                k = (k_part * ks + k_first) * code.lanes
                base = code.address(o * length + k + gradient)
                places = [j * length + i * code.lanes for j in range(os) for i in range(ks)]
                sums = [Accumulator(code) for _ in places]
                for total, place in zip(sums, places, strict=True):
                    total.set(code.load(place, base))
                terms = [(j * ks + i, i * code.lanes, j * code.lanes) for j in range(os) for i in range(ks)]
                with code.loop(0, code.slot) as block, code.loop(0, code.lanes) as lane:
                    a = code.address(block * rows.step + lane * length + k + rows.start)
                    b = code.address(block * dy.step + lane + o * code.lanes + dy.start)
                    add_products(sums, terms, (code.load, a), (code.broadcast, b))
                for total, place in zip(sums, places, strict=True):
                    code.store(total.get(), place, base)


def forward_single(code: Code, weight: Parameter, buffers: Buffers) -> None:
    """As `forward` for one example, a vector of units o at a time, from the transposed weights."""
    width, bias = padded(weight.rows), buffers.bias()
    across, _ = tile_shape(width // code.lanes, 1)
    for first, count, many in split(width // code.lanes, across):
        with code.loop(0, count) as part:
            o = (part * many + first) * code.lanes
            sums = zero_accumulators(code, many)
            if bias is not None:
                for n, total in enumerate(sums):
                    total.set(code.load(o + (bias + n * code.lanes)))
            for k_first, k_count, ks in split(weight.columns, UNROLL):
                terms = [(n, k * width + n * code.lanes, k) for k in range(ks) for n in range(many)]
                with code.loop(0, k_count) as turn:
                    k = turn * ks + k_first
                    a, b = code.address(k * width + o + buffers.transposed["weight"]), code.address(k + buffers.x)
                    add_products(sums, terms, (code.load, a), (code.broadcast, b))
            for n, total in enumerate(sums):
                buffers.store_result(code, total.get(), o + n * code.lanes)
