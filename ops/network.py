"""A network: a name, the shape of one example and a tuple of layers; its parameters and buffers as one flat vector.

theta:  | conv2d1.weight | batchnorm2d1.weight | …  | dense1.bias | batchnorm2d1.running_mean | …  |
        '---------------- parameters, which are trained ---------' '----------- buffers ------------'
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from math import prod

import numpy as np
from numpy.typing import NDArray

from ops.arrays import Array
from ops.errors import ShapeError
from ops.initializers import INITIALIZERS
from ops.layers import Layer, Shape, names_of
from ops.random import generator


@dataclass(frozen=True)
class Slice:
    """Where one parameter or buffer lies in the flat vector: `theta[start:stop].reshape(shape)`.

    Attributes:
        name: Its full name: `conv2d1.weight`, `residual1.body.conv2d1.weight`.
        layer: The index of its layer in the network.
        shape: Its shape.
        start: Where it begins.
        buffer: Whether it is a buffer.
    """

    name: str
    layer: int
    shape: Shape
    start: int
    buffer: bool = False

    @property
    def stop(self) -> int:
        return self.start + prod(self.shape)

    @property
    def key(self) -> str:
        """Its name within its layer: `weight`, or within a block `body.conv2d1.weight`."""
        return self.name.partition(".")[2]


@dataclass(frozen=True)
class Network:
    """Layers and their shapes, as plain data; it holds no parameters and no buffers.

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
        return names_of(self.layers)

    @cached_property
    def table(self) -> tuple[Slice, ...]:
        """The parameters in the order in which they lie in the flat vector, and after them the buffers."""
        slices: list[Slice] = []
        for buffer in (False, True):
            for index, (layer, name) in enumerate(zip(self.layers, self.layer_names, strict=True)):
                shapes = layer.buffer_shapes if buffer else layer.parameter_shapes
                for key, shape in shapes(self.shapes[index]).items():
                    start = slices[-1].stop if slices else 0
                    slices.append(Slice(f"{name}.{key}", index, shape, start, buffer))
        return tuple(slices)

    @cached_property
    def num_parameters(self) -> int:
        """How many parameters are trained; so many numbers at the front of the flat vector."""
        return max((piece.stop for piece in self.table if not piece.buffer), default=0)

    @property
    def size(self) -> int:
        """How many numbers the flat vector has: parameters and buffers."""
        return self.table[-1].stop if self.table else 0

    @property
    def classes(self) -> int:
        """How many classes the last layer tells apart."""
        return prod(self.shapes[-1])

    def parameters(self, theta: Array) -> tuple[dict[str, Array], ...]:
        """For each layer its parameters and buffers by name, as views into `theta` (size,)."""
        if theta.shape != (self.size,):
            raise ShapeError(f"theta must have shape ({self.size},) for network {self.name!r}, got {theta.shape}")
        views: tuple[dict[str, Array], ...] = tuple({} for _ in self.layers)
        for piece in self.table:
            views[piece.layer][piece.key] = theta[piece.start : piece.stop].reshape(piece.shape)
        return views

    def named_parameters(self, theta: Array) -> Iterator[tuple[str, Array]]:
        """The full name (`conv2d1.weight`) of each parameter and buffer, and its view into `theta`, in stored order."""
        views = self.parameters(theta)
        for piece in self.table:
            yield piece.name, views[piece.layer][piece.key]

    def init_parameters(self, seed: int) -> NDArray[np.float32]:
        """A fresh float32 vector: weights from the initializer, all else as its layer says; a function of the seed."""
        theta = np.zeros(self.size, np.float32)
        draw = INITIALIZERS[self.initializer]
        for index, (piece, (_, view)) in enumerate(zip(self.table, self.named_parameters(theta), strict=True)):
            initial = self.layers[piece.layer].initial_values()
            if piece.key in initial:
                view[...] = initial[piece.key]
            elif view.ndim > 1:
                view[...] = draw(generator(seed, "initial", index), view.shape)
        return theta
