"""Where everything lies in an engine's one block of memory.

Offsets are counted in floats and fixed when the engine is built, so that kernels hold them as constants.

    parameters   theta, velocity, gradient: each parameter at a multiple of the vector width; the rows of matrices are
                 padded to one (the padding is zero and stays zero)
    values       what each layer puts out, (elements, lanes): one vector an element, one lane an example
    gradients    of the loss for each layer's output, the same shape; in place where possible
    lane sums    gradients of parameters that are vectors, still separate for each lane
    workspace    what kernels keep beside: dropout's masks, dense layers' inputs example by example
    transposed   matrices once more for single examples, (columns, padded rows)
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import prod

import numpy as np
from numpy.typing import NDArray

from ops.engines.base import Floats
from ops.engines.simd.cpu import cpu
from ops.engines.simd.kernels import kernels_of
from ops.engines.simd.kernels.activation import ActivationKernels
from ops.engines.simd.kernels.buffers import Area, Buffers, Parameter, StepBuffers, padded
from ops.network import Network

PANEL = 4
"""How many blocks make a panel: the gradients of dense weights are taken for all of their examples at once."""


@dataclass
class Layout:
    """The places of a network's numbers.

    Attributes:
        network: The network.
        size: How many floats it all takes.
        parameters: Each parameter, by the position of its layer and its name.
    """

    network: Network
    size: int = 0
    parameters: dict[tuple[int, str], Parameter] = field(default_factory=dict)

    def __post_init__(self) -> None:
        network = self.network
        self.lanes = cpu().lanes
        self.kernels = kernels_of(network)
        count = self._place_parameters()
        theta, velocity, gradient = (self._allocate(count) for _ in range(3))
        self.step = StepBuffers(theta, velocity, gradient, count, *(self._allocate(self.lanes) for _ in range(6)))
        self.values = self._place_values()
        self.gradients = self._place_gradients()
        self.gradients.setdefault(len(network.layers), Area(self.values[-1]))
        self.lane_sums = {
            (position, name): self._allocate(parameter.size * self.lanes)
            for (position, name), parameter in self.parameters.items()
            if name not in self.kernels[position].row_parameters
        }
        self.workspace = self._place_workspace()
        self.transposed = {
            (position, name): self._allocate(parameter.columns * padded(parameter.rows))
            for (position, name), parameter in self.parameters.items()
            if name in self.kernels[position].transposed_parameters
        }

    @property
    def pixels(self) -> int:
        """Bytes of an example's pixels: as many as it has, rounded up to the vector width."""
        return padded(prod(self.network.input_shape))

    @property
    def first(self) -> int:
        """The first layer that learns, where the backward pass ends."""
        return min((piece.layer for piece in self.network.table), default=len(self.network.layers))

    @property
    def most_single_examples(self) -> int:
        """Up to how many examples are faster one by one than as a block, which computes all its lanes (measured)."""
        return 1 if any(kernels.is_slow_single for kernels in self.kernels) else max(1, self.lanes // 5)

    def buffers(self, position: int) -> Buffers:
        """What the kernels of one layer work on."""

        def own(places: dict) -> dict:
            return {name: place for (layer, name), place in places.items() if layer == position}

        return Buffers(
            x=self.values[position],
            y=self.values[position + 1],
            dy=self.gradients.get(position + 1) if position >= self.first else None,
            dx=self.gradients[position] if position > self.first else None,
            theta=self.step.theta,
            gradient=self.step.gradient,
            parameters=own(self.parameters),
            lane_sums=own(self.lane_sums),
            transposed=own(self.transposed),
            workspace=own(self.workspace),
            activation=self._fused_activation(position),
            slope=self._fused_slope(position),
            slope_applied=self._slope_is_applied_behind(position),
        )

    def pack(self, vector: Floats, memory: Floats, start: int) -> None:
        """Copy a flat parameter vector into the memory at `start` (theta or velocity)."""
        for parameter, inner, outer in self._views(memory, start, vector):
            inner[:, : parameter.columns] = outer

    def transpose(self, memory: Floats) -> None:
        """Copy the packed matrices to where single-example kernels read them transposed."""
        for key, start in self.transposed.items():
            matrix = self.parameters[key]
            begin, stop = self.step.theta + matrix.start, start + matrix.columns * padded(matrix.rows)
            rows = memory[begin : begin + matrix.rows * matrix.stride].reshape(matrix.rows, -1)
            memory[start:stop].reshape(matrix.columns, -1)[:, : matrix.rows] = rows[:, : matrix.columns].T

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

    def _place_parameters(self) -> int:
        """Place each parameter in the packed vector, and say how many floats that takes."""
        offset = 0
        for piece in self.network.table:
            is_matrix = piece.key in self.kernels[piece.layer].row_parameters
            rows, columns = (piece.shape[0], prod(piece.shape[1:])) if is_matrix else (1, prod(piece.shape))
            parameter = Parameter(piece, offset, rows, columns, padded(columns))
            self.parameters[piece.layer, piece.key] = parameter
            offset += parameter.size
        return offset

    def _place_values(self) -> list[int]:
        values = [self._allocate(padded(prod(self.network.shapes[0])) * self.lanes)]
        for position, kernels in enumerate(self.kernels):
            is_fused = position > 0 and self._fused_activation(position - 1) is not None
            size = padded(prod(self.network.shapes[position + 1])) * self.lanes
            values.append(values[-1] if kernels.shares_values or is_fused else self._allocate(size))
        return values

    def _place_gradients(self) -> dict[int, Area]:
        """The gradient at each boundary between layers, by the number of the layer behind it."""
        areas: dict[int, Area] = {}
        last = len(self.kernels)
        for boundary in range(last, self.first, -1):
            if boundary < last and self.kernels[boundary].shares_gradient:
                areas[boundary] = areas[boundary + 1]
                continue
            origin = boundary
            while origin > 1 and self.kernels[origin - 1].shares_gradient:
                origin -= 1
            size = padded(prod(self.network.shapes[boundary])) * self.lanes
            if self.kernels[origin - 1].keeps_panel:
                areas[boundary] = Area(self._allocate(PANEL * size), size)
            elif boundary < last and self._gradient_replaces_values(boundary):
                areas[boundary] = Area(self.values[boundary])
            else:
                areas[boundary] = Area(self._allocate(size))
        return areas

    def _place_workspace(self) -> dict[tuple[int, str], Area]:
        areas: dict[tuple[int, str], Area] = {}
        for position, kernels in enumerate(self.kernels):
            for name, vectors in kernels.block_workspace().items():
                areas[position, name] = Area(self._allocate(padded(vectors) * self.lanes))
        for position, kernels in enumerate(self.kernels):
            for name, vectors in kernels.panel_workspace().items():
                size = padded(vectors) * self.lanes
                areas[position, name] = Area(self._allocate(PANEL * size), size)
        return areas

    def _fused_activation(self, position: int) -> ActivationKernels | None:
        """The activation that the layer applies to its own results before it stores them."""
        if self.kernels[position].fuses_activation and position + 1 < len(self.kernels):
            behind = self.kernels[position + 1]
            return behind if isinstance(behind, ActivationKernels) else None
        return None

    def _fused_slope(self, position: int) -> ActivationKernels | None:
        """The activation in front whose slope the layer applies to the gradient that it sends back."""
        before = position - 1
        while before > 0 and self.kernels[before].shares_values:
            before -= 1
        if before < max(self.first, 0) or not self.kernels[position].fuses_slope:
            return None
        kernels = self.kernels[before]
        return kernels if isinstance(kernels, ActivationKernels) else None

    def _slope_is_applied_behind(self, position: int) -> bool:
        """Whether the layer behind the activation at `position` applies its slope."""
        behind = position + 1
        while behind < len(self.kernels) and self.kernels[behind].shares_values:
            behind += 1
        return behind < len(self.kernels) and self._fused_slope(behind) is not None

    def _gradient_replaces_values(self, boundary: int) -> bool:
        """Whether the gradient may overwrite the values there, which nobody needs any more."""
        return (
            boundary >= 2
            and self.kernels[boundary].overwrites_input
            and isinstance(self.kernels[boundary - 1], ActivationKernels)
            and self._fused_activation(boundary - 2) is not None
        )

    def _allocate(self, count: int) -> int:
        start, self.size = self.size, self.size + padded(count)
        return start
