"""A network as an ONNX graph: input `pixels` (n, c, h, w) float32 in [0, 1], output `logits` (n, classes) float32."""

from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from ops.activation import GELU_CUBE, GELU_SCALE
from ops.adaptive_pool import Span, spans
from ops.engines.base import Floats
from ops.geometry import pair
from ops.layers import (
    GELU,
    AdaptiveAvgPool2D,
    AvgPool2D,
    BatchNorm2D,
    Block,
    Concat,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    GroupNorm,
    Layer,
    LeakyReLU,
    MaxPool2D,
    Normalize,
    ReLU,
    Residual,
    Resize,
    Sigmoid,
    SiLU,
    Tanh,
)
from ops.network import Network
from service.registry.exports.onnx_graph import At, Graph, mapping, write_layers

OPSET, IR_VERSION = 17, 8
"""Old enough for the runtimes in use, new enough for every layer here."""


def onnx_model(network: Network, theta: Floats) -> bytes:
    """The serialised graph, checked. Raises InvalidInput for a layer that has no counterpart."""
    graph = Graph()
    for name, view in network.named_parameters(theta):
        graph.constant(name, view)
    write_layers(graph, network.layers, network.input_shape)
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


@mapping(Residual, Concat)
def block(graph: Graph, layer: Block, at: At) -> None:
    x, outputs = graph.last, []
    for name, branch in layer.branches_by_name().items():
        graph.last = x
        write_layers(graph, branch, at.x_shape, f"{at.name}.{name}.")
        outputs.append(graph.last)
    graph.last = outputs[0]
    if isinstance(layer, Residual):
        graph.add("Add", at.name, *outputs[1:])
    else:
        graph.add("Concat", at.name, *outputs[1:], axis=1)


@mapping(BatchNorm2D)
def batch_norm(graph: Graph, layer: BatchNorm2D, at: At) -> None:
    graph.add("BatchNormalization", at.name, *at.parameters, epsilon=layer.epsilon)


@mapping(GroupNorm)
def group_norm(graph: Graph, layer: GroupNorm, at: At) -> None:
    """As instance norm of groups: a group norm of its own came to ONNX later."""
    weight, bias = at.parameters
    ones, zeros = np.ones(layer.groups, np.float32), np.zeros(layer.groups, np.float32)
    channels = (-1, *[1] * (len(at.x_shape) - 1))
    graph.add("Reshape", f"{at.name}.groups", graph.constant(f"{at.name}.split", np.array([0, layer.groups, -1])))
    plain = graph.constant(f"{at.name}.ones", ones), graph.constant(f"{at.name}.zeros", zeros)
    graph.add("InstanceNormalization", f"{at.name}.normal", *plain, epsilon=layer.epsilon)
    graph.add("Reshape", f"{at.name}.planes", graph.constant(f"{at.name}.shape", np.array([-1, *at.x_shape])))
    graph.add("Mul", f"{at.name}.scaled", _reshaped(graph, weight, channels))
    graph.add("Add", at.name, _reshaped(graph, bias, channels))


@mapping(Conv2D)
def conv(graph: Graph, layer: Conv2D, at: At) -> None:
    padding = pair("padding", layer.padding)
    attributes = {
        "kernel_shape": pair("kernel_size", layer.kernel_size),
        "strides": pair("stride", layer.stride),
        "pads": (*padding, *padding),
        "dilations": pair("dilation", layer.dilation),
    }
    graph.add("Conv", at.name, *at.parameters, group=layer.groups, **attributes)


@mapping(MaxPool2D)
def max_pool(graph: Graph, layer: MaxPool2D, at: At) -> None:
    graph.add("MaxPool", at.name, **_window(layer, at))


@mapping(AvgPool2D)
def avg_pool(graph: Graph, layer: AvgPool2D, at: At) -> None:
    graph.add("AveragePool", at.name, count_include_pad=int(layer.count_include_pad), **_window(layer, at))


@mapping(AdaptiveAvgPool2D)
def adaptive_avg_pool(graph: Graph, layer: AdaptiveAvgPool2D, at: At) -> None:
    """As products with matrices, once over the columns and once over the rows: ONNX has nothing of the kind."""
    windows = zip(spans(at.x_shape, layer.output_size), at.x_shape[1:], strict=True)
    rows, columns = (_means(axis, size) for axis, size in windows)
    graph.add("MatMul", f"{at.name}.across", graph.constant(f"{at.name}.columns", columns))
    graph.add("Transpose", f"{at.name}.turned", perm=(0, 1, 3, 2))
    graph.add("MatMul", f"{at.name}.down", graph.constant(f"{at.name}.rows", rows))
    graph.add("Transpose", at.name, perm=(0, 1, 3, 2))


@mapping(Dense)
def dense(graph: Graph, layer: Dense, at: At) -> None:
    graph.add("Gemm", at.name, *at.parameters, transB=1)


@mapping(Resize)
def resize(graph: Graph, layer: Resize, at: At) -> None:
    height, width = pair("size", layer.size)
    scales = np.array([1, 1, scale_to(height, at.x_shape[1]), scale_to(width, at.x_shape[2])], np.float32)
    empty = graph.constant(f"{at.name}.region", np.zeros(0, np.float32))
    graph.add(
        "Resize",
        at.name,
        empty,
        graph.constant(f"{at.name}.scales", scales),
        mode="linear",
        coordinate_transformation_mode="half_pixel",
    )


def scale_to(wanted: int, size: int) -> np.float32:
    """The scale by which ONNX makes so many rows of so many: it rounds the product down, in float32."""
    scale = np.float32(wanted / size)
    while np.floor(scale * np.float32(size)) < wanted or np.floor(float(scale) * size) < wanted:
        scale = np.nextafter(scale, np.float32(np.inf))
    return scale


@mapping(Flatten)
def flatten(graph: Graph, layer: Flatten, at: At) -> None:
    graph.add("Flatten", at.name)


@mapping(Sigmoid, Tanh)
def same_name(graph: Graph, layer: Layer, at: At) -> None:
    graph.add(type(layer).__name__, at.name)


@mapping(ReLU)
def relu(graph: Graph, layer: ReLU, at: At) -> None:
    graph.add("Relu", at.name)


@mapping(LeakyReLU)
def leaky_relu(graph: Graph, layer: LeakyReLU, at: At) -> None:
    graph.add("LeakyRelu", at.name, alpha=layer.negative_slope)


@mapping(GELU)
def gelu(graph: Graph, layer: GELU, at: At) -> None:
    """Number by number: a GELU of its own came to ONNX later."""
    x = graph.last
    graph.add("Mul", f"{at.name}.square", x)
    graph.add("Mul", f"{at.name}.cube", x)
    graph.add("Mul", f"{at.name}.small", graph.number(f"{at.name}.a", GELU_CUBE))
    graph.add("Add", f"{at.name}.sum", x)
    graph.add("Mul", f"{at.name}.scaled", graph.number(f"{at.name}.b", GELU_SCALE))
    graph.add("Tanh", f"{at.name}.tanh")
    graph.add("Add", f"{at.name}.above", graph.number(f"{at.name}.one", 1))
    graph.add("Mul", f"{at.name}.whole", x)
    graph.add("Mul", at.name, graph.number(f"{at.name}.half", 0.5))


@mapping(SiLU)
def silu(graph: Graph, layer: SiLU, at: At) -> None:
    x = graph.last
    graph.add("Sigmoid", f"{at.name}.sigmoid")
    graph.add("Mul", at.name, x)


@mapping(Normalize)
def normalize(graph: Graph, layer: Normalize, at: At) -> None:
    channels = (-1, *[1] * (len(at.x_shape) - 1))
    means, deviations = (np.array(each, np.float32).reshape(channels) for each in (layer.means, layer.deviations))
    graph.add("Sub", f"{at.name}.centred", graph.constant(f"{at.name}.means", means))
    graph.add("Div", at.name, graph.constant(f"{at.name}.deviations", deviations))


@mapping(Dropout)
def dropout(graph: Graph, layer: Dropout, at: At) -> None:
    """Nothing: it passes everything on when predicting."""


def _reshaped(graph: Graph, name: str, shape: tuple[int, ...]) -> str:
    """A constant of that name in another shape, under a name of its own."""
    (value,) = (numpy_helper.to_array(each) for each in graph.constants if each.name == name)
    return graph.constant(f"{name}.reshaped", value.reshape(shape))


def _means(windows: list[Span], size: int) -> Floats:
    """(size, windows): a matrix that makes of an axis the mean of each window on it."""
    matrix = np.zeros((size, len(windows)), np.float32)
    for place, (first, stop) in enumerate(windows):
        matrix[first:stop, place] = 1 / (stop - first)
    return matrix


def _window(layer: MaxPool2D | AvgPool2D, at: At) -> dict[str, Any]:
    window = layer.window((at.x_shape[1], at.x_shape[2]))
    padding = pair("padding", window["padding"])
    return {
        "kernel_shape": window["window"],
        "strides": window["stride"],
        "pads": (*padding, *padding),
        "ceil_mode": int(window["ceil_mode"]),
    }
