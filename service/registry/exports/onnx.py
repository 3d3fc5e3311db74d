"""A network as an ONNX graph: input `pixels` (n, c, h, w) float32 in [0, 1], output `logits` (n, classes) float32."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from ops.engines.base import Floats
from ops.geometry import pair
from ops.layers import (
    AvgPool2D,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    Layer,
    LeakyReLU,
    MaxPool2D,
    ReLU,
    Resize,
    Shape,
    Sigmoid,
    Tanh,
)
from ops.network import Network
from service.errors import InvalidInput

OPSET, IR_VERSION = 17, 8
"""Old enough for the runtimes in use, new enough for every layer here."""


@dataclass
class _Graph:
    """Nodes so far; `last` is the name of the newest value."""

    last: str = "pixels"
    nodes: list[Any] = field(default_factory=list)
    constants: list[Any] = field(default_factory=list)

    def add(self, operator: str, name: str, *more: str, **attributes: Any) -> None:
        self.nodes.append(helper.make_node(operator, [self.last, *more], [name], name=name, **attributes))
        self.last = name

    def constant(self, name: str, value: Any) -> str:
        self.constants.append(numpy_helper.from_array(value, name))
        return name


def onnx_model(network: Network, theta: Floats) -> bytes:
    """The serialised graph, checked. Raises InvalidInput for a layer that has no counterpart."""
    graph = _Graph()
    names = {name: graph.constant(name, view) for name, view in network.named(theta)}
    for layer, name, shape in zip(network.layers, network.layer_names, network.shapes, strict=False):
        if type(layer) not in WRITERS:
            raise InvalidInput(f"layer {layer} of network {network.name!r} can't be written as ONNX")
        own = [names[key] for key in (f"{name}.weight", f"{name}.bias") if key in names]
        WRITERS[type(layer)](graph, layer, name, own, shape)
    graph.nodes[-1].output[0] = "logits"
    made = helper.make_graph(
        graph.nodes,
        network.name,
        [helper.make_tensor_value_info("pixels", TensorProto.FLOAT, ["n", *network.input_shape])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["n", network.classes])],
        graph.constants,
    )
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", OPSET)], producer_name="atelier")
    model.ir_version = IR_VERSION
    onnx.checker.check_model(model, full_check=True)
    content: bytes = model.SerializeToString()
    return content


def _conv(graph: _Graph, layer: Any, name: str, own: list[str], shape: Shape) -> None:
    padding = pair("padding", layer.padding)
    attributes = {
        "kernel_shape": pair("kernel_size", layer.kernel_size),
        "strides": pair("stride", layer.stride),
        "pads": (*padding, *padding),
        "dilations": pair("dilation", layer.dilation),
    }
    graph.add("Conv", name, *own, group=layer.groups, **attributes)


def _pool(graph: _Graph, layer: Any, name: str, own: list[str], shape: Shape) -> None:
    window = layer.window((shape[1], shape[2]))
    padding = pair("padding", window["padding"])
    attributes = {
        "kernel_shape": window["window"],
        "strides": window["stride"],
        "pads": (*padding, *padding),
        "ceil_mode": int(window["ceil_mode"]),
    }
    if isinstance(layer, AvgPool2D):
        graph.add("AveragePool", name, count_include_pad=int(layer.count_include_pad), **attributes)
    else:
        graph.add("MaxPool", name, **attributes)


def _dense(graph: _Graph, layer: Any, name: str, own: list[str], shape: Shape) -> None:
    graph.add("Gemm", name, *own, transB=1)


def _resize(graph: _Graph, layer: Any, name: str, own: list[str], shape: Shape) -> None:
    height, width = pair("size", layer.size)
    scales = np.array([1, 1, height / shape[1], width / shape[2]], np.float32)
    empty = graph.constant(f"{name}.region", np.zeros(0, np.float32))
    graph.add(
        "Resize",
        name,
        empty,
        graph.constant(f"{name}.scales", scales),
        mode="linear",
        coordinate_transformation_mode="half_pixel",
    )


def _plain(operator: str) -> "_Writer":
    def write(graph: _Graph, layer: Any, name: str, own: list[str], shape: Shape) -> None:
        graph.add(operator, name)

    return write


def _leaky(graph: _Graph, layer: Any, name: str, own: list[str], shape: Shape) -> None:
    graph.add("LeakyRelu", name, alpha=layer.negative_slope)


def _nothing(graph: _Graph, layer: Any, name: str, own: list[str], shape: Shape) -> None:
    """Dropout passes everything on when predicting."""


_Writer = Callable[[_Graph, Any, str, list[str], Shape], None]

WRITERS: dict[type[Layer], _Writer] = {
    Conv2D: _conv,
    AvgPool2D: _pool,
    MaxPool2D: _pool,
    Dense: _dense,
    Resize: _resize,
    Flatten: _plain("Flatten"),
    Sigmoid: _plain("Sigmoid"),
    Tanh: _plain("Tanh"),
    ReLU: _plain("Relu"),
    LeakyReLU: _leaky,
    Dropout: _nothing,
}
"""Which function writes which layer."""
