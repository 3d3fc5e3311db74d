"""Where everything lies in an engine's one block of memory.

Offsets are counted in floats and fixed when the engine is built, so that kernels hold them as constants.

    parameters   theta, velocity, gradient: each parameter at a multiple of the vector width, rows of dense
                 weights padded to one (the padding is zero and stays zero)
    values       what each layer puts out, (elements, lanes): one vector an element, one lane an example
    gradients    of the loss for each layer's output, the same shape; in place where that can be
    lane sums    gradients of convolutions and biases, still apart for each lane
    rows         each dense layer's input once more, example by example: (panel * lanes, padded inputs)
    turned       dense weights once more for single examples, (inputs, padded units)
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import prod

import numpy as np
from numpy.typing import NDArray

from ops.engines.base import Floats
from ops.engines.simd.host import host
from ops.engines.simd.pool import Pool
from ops.errors import ShapeError
from ops.layers import AvgPool2D, Conv2D, Dense, Dropout, Flatten, Layer, MaxPool2D, Shape
from ops.layers.activation import Activation
from ops.network import Network, Slice

PANEL = 4
"""How many blocks go by before the gradients of dense weights are taken, for all of their examples at once."""


def padded(count: int) -> int:
    """`count` rounded up to a multiple of the vector width."""
    lanes = host().lanes
    return -(-count // lanes) * lanes


@dataclass(frozen=True)
class Parameter:
    """One parameter inside the engine: `rows` rows of `columns` numbers, each row `stride` long, from `start`."""

    piece: Slice
    start: int
    rows: int
    columns: int
    stride: int

    @property
    def size(self) -> int:
        return padded(self.rows * self.stride)


@dataclass(frozen=True)
class Area:
    """Vectors from `start` on; where each block of a panel has its own, the next block's are `step` floats further."""

    start: int
    step: int = 0


@dataclass
class Layout:
    """The places of a network's numbers; `size` is how many floats it all takes."""

    network: Network
    size: int = 0
    parameters: dict[tuple[int, str], Parameter] = field(default_factory=dict)

    def __post_init__(self) -> None:
        network = self.network
        self.lanes = host().lanes
        offset = 0
        for piece in network.table:
            dense = isinstance(network.layers[piece.layer], Dense) and piece.key == "weight"
            rows, columns = (piece.shape[0], piece.shape[1]) if dense else (1, prod(piece.shape))
            parameter = Parameter(piece, offset, rows, columns, padded(columns))
            self.parameters[piece.layer, piece.key] = parameter
            offset += parameter.size
        self.count = offset
        self.theta, self.velocity, self.gradient = (self._take(self.count) for _ in range(3))
        self.rate, self.share, self.total, self.dot, self.hit = (self._take(self.lanes) for _ in range(5))
        self.values = self._values()
        self.gradients = self._gradients()
        self.lane_sums = {
            key: self._take(parameter.size * self.lanes)
            for key, parameter in self.parameters.items()
            if not self._is_dense_weight(parameter)
        }
        self.masks = {
            position: self._take(padded(prod(shape)) * self.lanes)
            for position, (layer, shape) in enumerate(zip(network.layers, network.shapes[:-1], strict=True))
            if isinstance(layer, Dropout)
        }
        self.rows = {
            position: Area(self._take(PANEL * self.lanes * padded(prod(shape))), self.lanes * padded(prod(shape)))
            for position, (layer, shape) in enumerate(zip(network.layers, network.shapes[:-1], strict=True))
            if isinstance(layer, Dense)
        }
        self.turned = {
            position: self._take(parameter.columns * padded(parameter.rows))
            for (position, _), parameter in self.parameters.items()
            if self._is_dense_weight(parameter)
        }

    @property
    def pixels(self) -> int:
        """Bytes an example takes in a block's pixels: as many as it has, rounded up."""
        return padded(prod(self.network.input_shape))

    @property
    def first(self) -> int:
        """The first layer that learns: the way back ends there."""
        return min((piece.layer for piece in self.network.table), default=len(self.network.layers))

    def fused(self, position: int) -> Activation | None:
        """The activation that layer `position` applies to its own results before it stores them."""
        layers = self.network.layers
        if isinstance(layers[position], Conv2D | Dense) and position + 1 < len(layers):
            following = layers[position + 1]
            return following if isinstance(following, Activation) else None
        return None

    def pack(self, vector: Floats, memory: Floats, start: int) -> None:
        """Copy a flat parameter vector into the memory at `start` (theta or velocity)."""
        if vector.shape != (self.network.num_parameters,):
            raise ShapeError(
                f"theta must have shape ({self.network.num_parameters},) for network {self.network.name!r}, "
                f"got {vector.shape}"
            )
        for parameter, inner, outer in self._views(memory, start, vector):
            inner[:, : parameter.columns] = outer

    def turn(self, memory: Floats) -> None:
        """Copy the packed dense weights to where single examples find them."""
        for position, start in self.turned.items():
            weight = self.parameters[position, "weight"]
            begin, stop = self.theta + weight.start, start + weight.columns * padded(weight.rows)
            rows = memory[begin : begin + weight.rows * weight.stride].reshape(weight.rows, -1)
            memory[start:stop].reshape(weight.columns, -1)[:, : weight.rows] = rows[:, : weight.columns].T

    def unpack(self, memory: Floats, start: int) -> Floats:
        """A flat parameter vector out of the memory."""
        vector = np.empty(self.network.num_parameters, np.float32)
        for parameter, inner, outer in self._views(memory, start, vector):
            outer[...] = inner[:, : parameter.columns]
        return vector

    def _views(self, memory: Floats, start: int, vector: Floats) -> list[tuple[Parameter, Floats, Floats]]:
        found: list[tuple[Parameter, NDArray, NDArray]] = []
        for parameter in self.parameters.values():
            begin = start + parameter.start
            inner = memory[begin : begin + parameter.rows * parameter.stride].reshape(parameter.rows, -1)
            outer = vector[parameter.piece.start : parameter.piece.stop].reshape(parameter.rows, -1)
            found.append((parameter, inner, outer))
        return found

    def _values(self) -> list[int]:
        values = [self._take(padded(prod(self.network.shapes[0])) * self.lanes)]
        for position, layer in enumerate(self.network.layers):
            shared = isinstance(layer, Flatten) or (
                isinstance(layer, Activation) and position > 0 and self.fused(position - 1) is not None
            )
            size = padded(prod(self.network.shapes[position + 1])) * self.lanes
            values.append(values[-1] if shared else self._take(size))
        return values

    def _gradients(self) -> dict[int, Area]:
        """The area of each layer's output gradient, by the number of the layer that follows it."""
        layers, shapes = self.network.layers, self.network.shapes
        areas: dict[int, Area] = {}
        last = len(layers)
        for boundary in range(last, self.first, -1):
            begin = boundary
            while begin > 1 and isinstance(layers[begin - 1], Activation | Flatten):
                begin -= 1
            if boundary < last and isinstance(layers[boundary], Activation | Flatten):
                areas[boundary] = areas[boundary + 1]
                continue
            size = padded(prod(shapes[boundary])) * self.lanes
            if isinstance(layers[begin - 1], Dense):
                areas[boundary] = Area(self._take(PANEL * size), size)
            elif boundary < last and self.replaces(boundary):
                areas[boundary] = Area(self.values[boundary])
            else:
                areas[boundary] = Area(self._take(size))
        return areas

    def replaces(self, boundary: int) -> bool:
        """Whether the gradient may overwrite the values there: a pooling has just used them for the last time."""
        layers = self.network.layers
        return (
            _parted(layers[boundary], self.network.shapes[boundary])
            and isinstance(layers[boundary - 1], Activation)
            and boundary >= 2
            and self.fused(boundary - 2) is not None
        )

    def _is_dense_weight(self, parameter: Parameter) -> bool:
        return isinstance(self.network.layers[parameter.piece.layer], Dense) and parameter.piece.key == "weight"

    def _take(self, count: int) -> int:
        start, self.size = self.size, self.size + padded(count)
        return start


def _parted(layer: Layer, shape: Shape) -> bool:
    """Whether a layer is a pooling whose windows part the plane among them."""
    return isinstance(layer, MaxPool2D | AvgPool2D) and Pool.of(layer, shape).apart
