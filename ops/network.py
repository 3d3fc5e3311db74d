"""A network: a name, the shape of one example and a tuple of layers; its parameters as one flat vector."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from math import prod

import numpy as np
from numpy.typing import NDArray

from ops.arrays import Array
from ops.errors import ShapeError
from ops.initializers import INITIALIZERS
from ops.layers import Layer, Shape
from ops.random import generator


@dataclass(frozen=True)
class Slice:
    """Where one parameter lies in the flat vector: `theta[start:stop].reshape(shape)`."""

    name: str
    layer: int
    shape: Shape
    start: int

    @property
    def stop(self) -> int:
        return self.start + prod(self.shape)

    @property
    def key(self) -> str:
        """The parameter's name within its layer: `weight` or `bias`."""
        return self.name.rpartition(".")[2]


@dataclass(frozen=True)
class Network:
    """Layers and their shapes, as plain data; it holds no parameters.

    Attributes:
        name: What people call it.
        input_shape: `(c, h, w)` of one example.
        layers: What happens to it, in order. What their input decides (input channels) is filled in here.
        initializer: How the weights start, a key of `ops.initializers.INITIALIZERS`.

    Raises:
        ShapeError, GeometryError: A layer doesn't fit the one before it.
    """

    name: str
    input_shape: Shape
    layers: tuple[Layer, ...]
    initializer: str = "xavier"

    def __post_init__(self) -> None:
        if not self.layers:
            raise ShapeError(f"network {self.name!r} must have at least one layer")
        shape, bound = self.input_shape, []
        for layer in self.layers:
            bound.append(layer.bind(shape))
            shape = layer.output_shape(shape)
        object.__setattr__(self, "layers", tuple(bound))

    def __str__(self) -> str:
        """A line for each layer, as the textbook prints them."""
        lines = (f"  ({index}): {layer}" for index, layer in enumerate(self.layers))
        return "\n".join((f"{self.name}(", *lines, ")"))

    @cached_property
    def shapes(self) -> tuple[Shape, ...]:
        """The shape of one example before the first layer and after each: `len(layers) + 1` of them."""
        shapes = [self.input_shape]
        for layer in self.layers:
            shapes.append(layer.output_shape(shapes[-1]))
        return tuple(shapes)

    @cached_property
    def layer_names(self) -> tuple[str, ...]:
        """A name for each layer, its kind in lower case and a count: `conv2d1`, `sigmoid1`, …, `dense3`."""
        counts: dict[str, int] = {}
        names = []
        for layer in self.layers:
            kind = type(layer).__name__.lower()
            counts[kind] = counts.get(kind, 0) + 1
            names.append(f"{kind}{counts[kind]}")
        return tuple(names)

    @cached_property
    def table(self) -> tuple[Slice, ...]:
        """The parameters in the order in which they lie in the flat vector."""
        slices, start = [], 0
        for index, (layer, name) in enumerate(zip(self.layers, self.layer_names, strict=True)):
            for key, shape in layer.parameter_shapes(self.shapes[index]).items():
                slices.append(Slice(f"{name}.{key}", index, shape, start))
                start = slices[-1].stop
        return tuple(slices)

    @property
    def num_parameters(self) -> int:
        """How many parameters there are."""
        return self.table[-1].stop if self.table else 0

    @property
    def classes(self) -> int:
        """How many classes the last layer tells apart."""
        return prod(self.shapes[-1])

    def parameters(self, theta: Array) -> tuple[dict[str, Array], ...]:
        """For each layer its parameters by name, as views into `theta` (num_parameters,)."""
        if theta.shape != (self.num_parameters,):
            raise ShapeError(
                f"theta must have shape ({self.num_parameters},) for network {self.name!r}, got {theta.shape}"
            )
        views: tuple[dict[str, Array], ...] = tuple({} for _ in self.layers)
        for piece in self.table:
            views[piece.layer][piece.key] = theta[piece.start : piece.stop].reshape(piece.shape)
        return views

    def named_parameters(self, theta: Array) -> Iterator[tuple[str, Array]]:
        """Each parameter's full name (`conv2d1.weight`) and its view into `theta`, in stored order."""
        views = self.parameters(theta)
        for piece in self.table:
            yield piece.name, views[piece.layer][piece.key]

    def init_parameters(self, seed: int) -> NDArray[np.float32]:
        """Fresh float32 parameters: weights from the initializer, biases zero; a function of the seed."""
        theta = np.zeros(self.num_parameters, np.float32)
        draw = INITIALIZERS[self.initializer]
        for index, (_, view) in enumerate(self.named_parameters(theta)):
            if view.ndim > 1:
                view[...] = draw(generator(seed, "initial", index), view.shape)
        return theta
