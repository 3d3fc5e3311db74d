"""The kernels of one kind of layer: a class, registered for the class of the layer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import prod
from typing import ClassVar, TypeVar

from ops.engines.simd.codegen.code import Code
from ops.engines.simd.codegen.kernel import Kernel
from ops.engines.simd.kernels.buffers import Buffers, padded
from ops.layers import Layer
from ops.network import Network


class LayerKernels:
    """The kernels of one layer of a network.

    A kind of layer gets kernels by a subclass in a file of this folder, under `@register(TheLayer)`. The subclass says
    what it needs from the memory (`Layout` reads that) and makes kernels for buffers that it is given.

    Args:
        network: The network.
        position: The index of the layer in it.

    Attributes:
        fuses_activation: Whether it applies an activation right behind it to its own results (`Buffers.activation`).
        fuses_slope: Whether it applies the slope of an activation in front of it (`Buffers.slope`).
        shares_values: Whether its output is its input, in the same place.
        shares_gradient: Whether it changes the gradient in place: dx lies where dy does.
        overwrites_input: Whether dx may take the place of x, since x is used for the last time when dx is written.
        keeps_panel: Whether it needs the gradients dy of all blocks of a panel at once (`panel`).
        is_slow_single: Whether its single-example kernel takes as long as a whole block.
        row_parameters: The parameters stored as a matrix with padded rows, whose gradients `panel` adds up. The
            others are vectors, whose gradients `backward` adds up for each lane.
        transposed_parameters: Those of the row parameters that single-example kernels read transposed.
    """

    fuses_activation: bool = False
    fuses_slope: bool = False
    shares_values: ClassVar[bool] = False
    shares_gradient: ClassVar[bool] = False
    overwrites_input: bool = False
    keeps_panel: ClassVar[bool] = False
    is_slow_single: bool = False
    row_parameters: ClassVar[tuple[str, ...]] = ()
    transposed_parameters: ClassVar[tuple[str, ...]] = ()

    def __init__(self, network: Network, position: int) -> None:
        self.layer = network.layers[position]
        self.name = network.layer_names[position]
        self.position = position
        self.x_shape, self.y_shape = network.shapes[position : position + 2]

    @property
    def flops(self) -> int:
        """Useful operations of one pass through the layer with one example: 2 for each product and its sum."""
        return 0

    def block_workspace(self) -> Mapping[str, int]:
        """Room for a block that the layer needs beside x and y, by name, in vectors."""
        return {}

    def panel_workspace(self) -> Mapping[str, int]:
        """Room that each block of a panel has for itself, by name, in vectors."""
        return {}

    def forward(self, buffers: Buffers) -> list[Kernel]:
        """From x to y for a block, in training."""
        raise NotImplementedError  # each kind of layer has its own

    def predict(self, buffers: Buffers) -> list[Kernel]:
        """From x to y for a block, when predicting."""
        return self.forward(buffers)

    def single_example(self, buffers: Buffers) -> list[Kernel]:
        """From x to y for one example, whose numbers lie without gaps, (c, h, w).

        Every sum takes its terms in the order of `predict`, so that the results have the same bits.
        """
        raise NotImplementedError  # each kind of layer has its own

    def backward(self, buffers: Buffers) -> list[Kernel]:
        """From dy to dx and to the gradients of parameters, for a block."""
        return []

    def panel(self, buffers: Buffers) -> list[Kernel]:
        """Gradients of `row_parameters`, for all blocks of a panel."""
        return []

    def kernel(self, what: str, write: Callable[[Code], None], flops: int = 0, lanes: int = 0) -> Kernel:
        """A kernel of this layer. See `Kernel`."""
        return Kernel(f"{self.name}.{what}", write, flops, lanes)

    @property
    def elements(self) -> int:
        """Numbers in an example's input."""
        return prod(self.x_shape)

    @property
    def single_vectors(self) -> int:
        """Vectors that one example's input takes by itself."""
        return padded(self.elements) // padded(1)


class UniformKernels(LayerKernels):
    """The kernels of a layer that does the same to one example as to a block."""

    def write_forward(self, buffers: Buffers) -> Callable[[Code], None]:
        """What writes the way from x to y, on vectors of any number of lanes."""
        raise NotImplementedError  # each kind of layer has its own

    def forward(self, buffers: Buffers) -> list[Kernel]:
        return [self.kernel("forward", self.write_forward(buffers))]

    def single_example(self, buffers: Buffers) -> list[Kernel]:
        return [self.kernel("single_example", self.write_forward(buffers), lanes=1)]


Kind = TypeVar("Kind", bound=type[LayerKernels])

_KINDS: dict[type[Layer], type[LayerKernels]] = {}


def register(*layers: type[Layer]) -> Callable[[Kind], Kind]:
    """A decorator: the class makes the kernels of these classes of layers."""

    def add(kernels: Kind) -> Kind:
        _KINDS.update(dict.fromkeys(layers, kernels))
        return kernels

    return add


def find(layer: Layer) -> type[LayerKernels] | None:
    """What makes the kernels of a layer; None where nothing does. A subclass of a layer needs kernels of its own."""
    return _KINDS.get(type(layer))


def kernels_of(network: Network) -> tuple[LayerKernels, ...]:
    """The kernels of each layer of a network that `ops.engines.simd.support.check` accepts."""
    found = []
    for position, layer in enumerate(network.layers):
        kind = find(layer)
        assert kind is not None, f"no kernels for {layer}"
        found.append(kind(network, position))
    return tuple(found)
