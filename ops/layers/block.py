"""Blocks: layers that are made of layers, in branches side by side."""

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Self
from zlib import crc32

from ops.arrays import Array
from ops.errors import ShapeError
from ops.geometry import Pair
from ops.layers.base import Context, Layer, Shape

Branch = tuple[Layer, ...]
"""Layers one after another; a branch without any passes its input on."""


def names_of(layers: Sequence[Layer]) -> tuple[str, ...]:
    """A name for each layer of a sequence, its kind in lower case and a count: `conv2d1`, `relu1`, `conv2d2`."""
    counts: dict[str, int] = {}
    names = []
    for layer in layers:
        kind = type(layer).__name__.lower()
        counts[kind] = counts.get(kind, 0) + 1
        names.append(f"{kind}{counts[kind]}")
    return tuple(names)


def nested_position(position: int, name: str) -> int:
    """The `Context.position` of a layer within a block, from the block's own and the layer's name there.

    It is from 2^30 to 2^31, where no network has a layer of its own: draws of dropout within blocks differ from those
    elsewhere, and are the same in every engine.
    """
    return crc32(f"{position}/{name}".encode()) >> 2 | 1 << 30


def as_branch(name: str, layers: Sequence[Layer]) -> Branch:
    """Layers as a tuple. Raises ShapeError where something else is among them."""
    strange = [each for each in layers if not isinstance(each, Layer)] if isinstance(layers, tuple | list) else [layers]
    if strange:
        raise ShapeError(f"{name} must be a tuple of layers, got {strange[0]!r}")
    return tuple(layers)


def text_of(branch: Branch) -> str:
    """How a branch is printed."""
    return f"[{', '.join(map(str, branch))}]"


class Block(Layer):
    """Branches that all take the block's input, and whose outputs become one.

    Names within a block are dotted: the first convolution of a residual block's body has the parameter
    `body.conv2d1.weight`.
    """

    @abstractmethod
    def branches_by_name(self) -> dict[str, Branch]:
        """Its branches, in order."""

    @abstractmethod
    def with_branches(self, branches: dict[str, Branch]) -> Self:
        """The same block with other layers in its branches."""

    @abstractmethod
    def joined_shape(self, shapes: list[Shape]) -> Shape:
        """The output's shape, from those of the branches. Raises ShapeError where they don't fit together."""

    @abstractmethod
    def join(self, outputs: list[Array]) -> Array:
        """The output, from those of the branches."""

    @abstractmethod
    def split(self, dy: Array, shapes: list[Shape]) -> list[Array]:
        """The gradient for each branch's output, whose shapes these are."""

    def bind(self, input_shape: Shape) -> Self:
        bound = {}
        for name, branch in self.branches_by_name().items():
            shapes = _shapes(branch, input_shape)
            bound[name] = tuple(layer.bind(shape) for layer, shape in zip(branch, shapes, strict=False))
        return self.with_branches(bound)

    def output_shape(self, input_shape: Shape) -> Shape:
        return self.joined_shape([_shapes(branch, input_shape)[-1] for branch in self.branches_by_name().values()])

    def parameter_shapes(self, input_shape: Shape) -> dict[str, Shape]:
        return self._named(input_shape, lambda layer, shape: layer.parameter_shapes(shape))

    def buffer_shapes(self, input_shape: Shape) -> dict[str, Shape]:
        return self._named(input_shape, lambda layer, shape: layer.buffer_shapes(shape))

    def initial_values(self) -> dict[str, float]:
        return {
            f"{branch}.{name}.{key}": value
            for branch, layers in self.branches_by_name().items()
            for name, layer in zip(names_of(layers), layers, strict=True)
            for key, value in layer.initial_values().items()
        }

    def flops(self, input_shape: Shape) -> int:
        return sum(
            layer.flops(shape)
            for branch in self.branches_by_name().values()
            for layer, shape in zip(branch, _shapes(branch, input_shape), strict=False)
        )

    def receptive_field(self, input_shape: Shape) -> tuple[Pair, Pair] | None:
        """That of the branch that sees most; None where one sees everything."""
        extents = [_extent(branch, input_shape) for branch in self.branches_by_name().values()]
        known = [extent for extent in extents if extent is not None]
        if len(known) < len(extents):
            return None
        windows, strides = zip(*known, strict=True)
        return _largest(windows), _largest(strides)

    def forward(self, x: Array, parameters: Mapping[str, Array], context: Context) -> tuple[Array, Any]:
        outputs, saved = [], []
        for branch, layers in self.branches_by_name().items():
            y = x
            for name, layer in zip(names_of(layers), layers, strict=True):
                at = f"{branch}.{name}"
                within = replace(context, position=nested_position(context.position, at))
                y, kept = layer.forward(y, _own(parameters, at), within)
                saved.append(kept)
            outputs.append(y)
        return self.join(outputs), (saved, [tuple(y.shape) for y in outputs])

    def backward(
        self, dy: Array, saved: Any, parameters: Mapping[str, Array], *, input_gradient: bool = True
    ) -> tuple[Array | None, dict[str, Array]]:
        kept, shapes = list(saved[0]), saved[1]
        branches = self.branches_by_name()
        parts = self.split(dy, shapes)
        dx: Array | None = None
        gradients: dict[str, Array] = {}
        for (branch, layers), part in zip(reversed(branches.items()), reversed(parts), strict=True):
            back, found = _back(branch, layers, part, kept, parameters, input_gradient=input_gradient)
            gradients |= found
            if back is not None:
                dx = back if dx is None else dx + back
        return dx, gradients

    def _named(self, input_shape: Shape, shapes_of: Callable[[Layer, Shape], dict[str, Shape]]) -> dict[str, Shape]:
        return {
            f"{branch}.{name}.{key}": shape
            for branch, layers in self.branches_by_name().items()
            for name, layer, at in zip(names_of(layers), layers, _shapes(layers, input_shape), strict=False)
            for key, shape in shapes_of(layer, at).items()
        }


def _back(
    branch: str,
    layers: Branch,
    dy: Array,
    kept: list[Any],
    parameters: Mapping[str, Array],
    *,
    input_gradient: bool,
) -> tuple[Array | None, dict[str, Array]]:
    """A branch's way back. kept: what its layers saved, at the end of a list from which it is taken."""
    names = names_of(layers)
    owns = [_own(parameters, f"{branch}.{name}") for name in names]
    first = 0 if input_gradient else next((turn for turn, own in enumerate(owns) if own), len(layers))
    gradients: dict[str, Array] = {}
    dx: Array | None = dy
    for turn in reversed(range(len(layers))):
        saved = kept.pop()
        if turn < first or dx is None:
            continue
        wanted = input_gradient or turn > first
        dx, found = layers[turn].backward(dx, saved, owns[turn], input_gradient=wanted)
        gradients |= {f"{branch}.{names[turn]}.{key}": gradient for key, gradient in found.items()}
    return dx if input_gradient else None, gradients


def _own(parameters: Mapping[str, Array], at: str) -> dict[str, Array]:
    """The parameters and buffers of the layer of that name within a block, by their own names."""
    return {key[len(at) + 1 :]: value for key, value in parameters.items() if key.startswith(f"{at}.")}


def _shapes(branch: Branch, input_shape: Shape) -> list[Shape]:
    """The shape of one example before the first layer and after each."""
    shapes = [input_shape]
    for layer in branch:
        shapes.append(layer.output_shape(shapes[-1]))
    return shapes


def _extent(branch: Branch, input_shape: Shape) -> tuple[Pair, Pair] | None:
    window, stride = (1, 1), (1, 1)
    for layer, shape in zip(branch, _shapes(branch, input_shape), strict=False):
        extent = layer.receptive_field(shape)
        if extent is None:
            return None
        (tall, wide), (down, across) = extent
        window = window[0] + (tall - 1) * stride[0], window[1] + (wide - 1) * stride[1]
        stride = stride[0] * down, stride[1] * across
    return window, stride


def _largest(pairs: Sequence[Pair]) -> Pair:
    return max(first for first, _ in pairs), max(second for _, second in pairs)
