"""An ONNX graph while it is being written, and the functions that write layers to it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from onnx import helper, numpy_helper

from ops.layers import Layer, Shape, names_of
from service.errors import InvalidInput


@dataclass
class Graph:
    """An ONNX graph while it is being written.

    Attributes:
        last: The name of the newest value, which is the next node's first input.
        nodes: The nodes so far.
        constants: The constants so far.
    """

    last: str = "pixels"
    nodes: list[Any] = field(default_factory=list)
    constants: list[Any] = field(default_factory=list)

    def add(self, operator: str, name: str, *more: str, **attributes: Any) -> None:
        """Add a node that computes the value `name` from the newest value and `more`."""
        self.nodes.append(helper.make_node(operator, [self.last, *more], [name], name=name, **attributes))
        self.last = name

    def constant(self, name: str, value: Any) -> str:
        """Add a constant, and return its name."""
        self.constants.append(numpy_helper.from_array(value, name))
        return name

    def number(self, name: str, value: float) -> str:
        """Add a float32 number, and return its name."""
        return self.constant(name, np.array(value, np.float32))


@dataclass(frozen=True)
class At:
    """Where a layer stands in its network.

    Attributes:
        name: What it is called, and so the value that it computes.
        parameters: The names of its own parameters and buffers, in the layer's order.
        x_shape: Its input without the batch axis.
    """

    name: str
    parameters: tuple[str, ...]
    x_shape: Shape


Mapping = Callable[[Graph, Any, At], None]

MAPPINGS: dict[type[Layer], Mapping] = {}
"""Which function writes which layer."""


def mapping(*layers: type[Layer]) -> Callable[[Mapping], Mapping]:
    """A decorator: the function adds the nodes of these layers to a graph."""

    def register(function: Mapping) -> Mapping:
        MAPPINGS.update(dict.fromkeys(layers, function))
        return function

    return register


def write_layers(graph: Graph, layers: Sequence[Layer], shape: Shape, prefix: str = "") -> None:
    """Add layers one after another, the first behind the newest value.

    Args:
        graph: What they are added to; it has their parameters already.
        layers: The layers.
        shape: The input of the first, without the batch axis.
        prefix: What their names begin with: `residual1.body.` within a block.
    """
    for layer, own_name in zip(layers, names_of(layers), strict=True):
        if type(layer) not in MAPPINGS:
            raise InvalidInput(f"layer {layer} can't be written as ONNX")
        name = prefix + own_name
        own = tuple(f"{name}.{key}" for key in layer.parameter_shapes(shape) | layer.buffer_shapes(shape))
        MAPPINGS[type(layer)](graph, layer, At(name, own, shape))
        shape = layer.output_shape(shape)
