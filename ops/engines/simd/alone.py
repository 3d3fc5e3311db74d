"""One example by itself: vectors run along its rows and units, where a block's run over its examples.

Numbers lie without gaps, (c, h, w), where the block would have its vectors. Every sum takes its terms in the order in
which the block's kernels take them, so an example's numbers are the same bits alone and in company.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from math import prod

from llvmlite import ir

from ops.engines.simd import activation, conv, pool, resize
from ops.engines.simd.code import BIT, BYTE, WORD, Code, Groups, Vec
from ops.engines.simd.contraction import add_products, new_sums, parts, tile_shape
from ops.engines.simd.dense import UNROLL
from ops.engines.simd.kernel import Kernel
from ops.engines.simd.layout import Layout, Parameter, padded
from ops.layers import AvgPool2D, Conv2D, Dense, Dropout, Flatten, Layer, MaxPool2D, Resize
from ops.layers.activation import Activation


def few(layout: Layout) -> int:
    """How many examples are sooner done one by one than as a block, which computes all its lanes (measured).

    Filters that move by more than one column are done number by number, which takes as long as a block.
    """
    return 1 if any(map(_is_strided, layout.network.layers)) else max(1, layout.lanes // 5)


def kernels(layout: Layout) -> list[Kernel]:
    """From the bytes of one example to its logits."""
    scaled = Kernel("scale.alone", partial(scale, length=layout.pixels, x=layout.values[0]))
    return [scaled, *(kernel for position in range(len(layout.network.layers)) for kernel in _layer(layout, position))]


@dataclass(frozen=True)
class Where:
    """Where a layer's numbers are in the memory, and the activation that it applies to its own results."""

    x: int
    y: int
    weight: int
    bias: int | None
    fused: Activation | None


def scale(code: Code, length: int, x: int) -> None:
    """x[n] = pixel n / 255, for the block's first example."""
    builder, row = code.builder, ir.PointerType(ir.VectorType(BYTE, code.lanes))
    with code.loop(0, length, code.lanes) as n:
        address = builder.bitcast(builder.gep(code.pixels, [code.long(n)]), row)
        words = builder.zext(builder.load(address, align=code.lanes), ir.VectorType(WORD, code.lanes))
        code.store(Vec(code, builder.uitofp(words, code.vector)) * code.constant(1 / 255), n + x)


def convolve(code: Code, plane: conv.Plane, at: Where) -> None:
    """As `conv.forward`, a vector of neighbours q at a time; for filters that move by one column."""
    inputs, outputs = plane.fan
    r_taps, s_taps = plane.kernel
    (x_height, x_width), (y_height, y_width) = plane.x_shape[1:], plane.y_shape[1:]
    filter_size = inputs * r_taps * s_taps
    (_, padding), (_, dilation) = plane.layer.padding, plane.layer.dilation  # type: ignore[misc]  # pairs
    table = Groups(code, [[(h * x_width, r * s_taps) for r, h in meetings] for meetings in plane.rows])
    # the last vector begins early enough to end with the row
    starts = sorted({max(0, min(q, y_width - code.lanes)) for q in range(0, y_width, code.lanes)})
    across, channels = tile_shape(len(starts), outputs)

    def row(place: int, base: ir.Value) -> Vec:
        return _inside(code, code.load(place, base, whole=False), place, x_width)

    with code.loop(0, plane.layer.groups) as group, code.loop(0, y_height) as p:
        for first, count, many in parts(outputs, channels):
            with code.loop(0, count) as part:
                o = group * outputs + (part * many + first)
                for tile in (starts[n : n + across] for n in range(0, len(starts), across)):
                    sums = new_sums(code, many * len(tile))
                    if at.bias is not None:
                        for n, total in enumerate(sums):
                            total.set(code.spread(o + (at.bias + n // len(tile))))
                    terms = [
                        (j * len(tile) + n, q + s * dilation - padding, j * filter_size + s)
                        for s in range(s_taps)
                        for j in range(many)
                        for n, q in enumerate(tile)
                        if any(_columns(code, q + s * dilation - padding, x_width))
                    ]
                    with code.loop(0, inputs) as c, table.pairs(p) as (x_row, tap):
                        a = code.at((group * inputs + c) * (x_height * x_width) + x_row + at.x)
                        b = code.at(o * filter_size + c * (r_taps * s_taps) + tap + at.weight)
                        add_products(sums, terms, (row, a), (code.spread, b))
                    y = code.at((o * y_height + p) * y_width + at.y)
                    for n, total in enumerate(sums):
                        place = n // len(tile) * (y_height * y_width) + tile[n % len(tile)]
                        result = activation.value(code, at.fused, total.get())
                        kept = code.load(place, y, whole=False) if y_width < code.lanes else result
                        code.store(code.select(_first(code, y_width), result, kept), place, y, whole=False)


def dense(code: Code, weight: Parameter, at: Where) -> None:
    """As `dense.forward`, a vector of units o at a time; the weights are those of `Layout.turned`."""
    width = padded(weight.rows)
    across, _ = tile_shape(width // code.lanes, 1)
    for first, count, many in parts(width // code.lanes, across):
        with code.loop(0, count) as part:
            o = (part * many + first) * code.lanes
            sums = new_sums(code, many)
            if at.bias is not None:
                for n, total in enumerate(sums):
                    total.set(code.load(o + (at.bias + n * code.lanes)))
            for k_first, k_count, ks in parts(weight.columns, UNROLL):
                terms = [(n, k * width + n * code.lanes, k) for k in range(ks) for n in range(many)]
                with code.loop(0, k_count) as turn:
                    k = turn * ks + k_first
                    a, b = code.at(k * width + o + at.weight), code.at(k + at.x)
                    add_products(sums, terms, (code.load, a), (code.spread, b))
            for n, total in enumerate(sums):
                code.store(activation.value(code, at.fused, total.get()), o + (at.y + n * code.lanes))


def _layer(layout: Layout, position: int) -> list[Kernel]:
    network = layout.network
    layer, shape, name = network.layers[position], network.shapes[position], network.layer_names[position]
    x, y, vectors = layout.values[position], layout.values[position + 1], padded(prod(shape)) // layout.lanes
    places = {
        key: layout.theta + parameter.start for (at, key), parameter in layout.parameters.items() if at == position
    }
    lanes = layout.lanes
    match layer:
        case Conv2D():
            plane, fused = conv.Plane.of(layer, shape), layout.fused(position)
            at = Where(x, y, places["weight"], places.get("bias"), fused)
            if not _is_strided(layer):
                write = partial(convolve, plane=plane, at=at)
            else:
                lanes = 1
                write = partial(
                    conv.forward, plane=plane, x=x, weight=at.weight, bias=at.bias,
                    finish=lambda code, result, place: code.store(activation.value(code, fused, result), place + y),
                )  # fmt: skip
        case Dense():
            at = Where(x, y, layout.turned[position], places.get("bias"), layout.fused(position))
            write = partial(dense, weight=layout.parameters[position, "weight"], at=at)
        case MaxPool2D() | AvgPool2D():
            write, lanes = partial(pool.forward, pool=pool.Pool.of(layer, shape), x=x, y=y), 1
        case Resize():
            write, lanes = partial(resize.forward, x_shape=shape, y_shape=network.shapes[position + 1], x=x, y=y), 1
        case Dropout():
            write = partial(activation.forward, layer=None, elements=vectors, x=x, y=y)
        case Activation() if x != y:
            write = partial(activation.forward, layer=layer, elements=vectors, x=x, y=y)
        case Activation() | Flatten():
            return []
        case _:
            raise TypeError(f"no kernels for {layer}")
    return [Kernel(f"{name}.alone", write, lanes=lanes)]


def _is_strided(layer: Layer) -> bool:
    """Whether it is a convolution whose neighbours in a row don't lie side by side in the input."""
    return isinstance(layer, Conv2D) and layer.stride[1] != 1  # type: ignore[index]  # a pair since __post_init__


def _inside(code: Code, numbers: Vec, place: int, width: int) -> Vec:
    """Neighbours from a column on, zero where they lie beside the row: a product with padding adds nothing."""
    inside = _columns(code, place, width)
    return numbers if all(inside) else code.select(_mask(code, inside), numbers, code.constant(0))


def _columns(code: Code, place: int, width: int) -> list[bool]:
    """Which lanes of a vector of neighbours are columns of the row."""
    return [0 <= place + lane < width for lane in range(code.lanes)]


def _first(code: Code, count: int) -> ir.Value:
    return _mask(code, [lane < count for lane in range(code.lanes)])


def _mask(code: Code, lanes: list[bool]) -> ir.Value:
    return ir.Constant(ir.VectorType(BIT, code.lanes), lanes)
