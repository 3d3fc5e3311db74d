"""From a network's layers to the stages that a GPU runs."""

from collections.abc import Sequence
from functools import partial
from math import prod

from ops.backends.cuda.block_stage import BlockStage
from ops.backends.cuda.conv_stages import BlockedConvStage, ConvStage
from ops.backends.cuda.device import Device
from ops.backends.cuda.stage import Stage
from ops.backends.cuda.stages import (
    AvgPoolStage,
    ComposedStage,
    DenseStage,
    DropoutStage,
    FlattenStage,
    MaxPoolStage,
    ResizeStage,
)
from ops.layers import AvgPool2D, Block, Conv2D, Dense, Dropout, Flatten, Layer, MaxPool2D, ReLU, Resize, Shape
from ops.layers.activation import Activation
from ops.network import Network

MOST_TAPS = 256
"""Which element of a window was the largest is kept in a byte."""


FEW_CHANNELS = 8
"""With fewer, cuDNN's engines do little of what the GPU could."""

NONE_FIRST = -1
"""Of layers within a block: none is the first that learns."""


def lower(network: Network, device: Device) -> tuple[Stage, ...]:
    """The stages of a network, in order. A ReLU joins the layer before it where that has a bias."""
    first = network.table[0].layer if network.table else len(network.layers)
    return _chain(network.layers, network.shapes, device, first)


def _chain(layers: Sequence[Layer], shapes: Sequence[Shape], device: Device, first: int) -> tuple[Stage, ...]:
    """Stages of layers one after another. first: the first that learns; nobody wants its input's gradient."""
    stages, position = [], 0
    while position < len(layers):
        relu = position + 1 < len(layers) and isinstance(layers[position + 1], ReLU) and _has_bias(layers[position])
        stages.append(_stage(layers[position], shapes[position], device, position, first, relu=relu))
        position += 1 + relu
    return tuple(stages)


def _stage(layer: Layer, shape: Shape, device: Device, position: int, first: int, *, relu: bool) -> Stage:
    if isinstance(layer, Conv2D) and position == first and _pays_in_blocks(layer):
        return BlockedConvStage(device, position, layer, relu=relu)
    if isinstance(layer, Conv2D):
        return ConvStage(device, position, layer, relu=relu)
    if isinstance(layer, Dense):
        return DenseStage(device, position, layer, relu=relu)
    if isinstance(layer, MaxPool2D) and prod(layer.window((shape[1], shape[2]))["window"]) <= MOST_TAPS:
        return MaxPoolStage(device, position, layer, shape)
    if isinstance(layer, AvgPool2D):
        return AvgPoolStage(device, position, layer, shape)
    if isinstance(layer, Dropout):
        return DropoutStage(device, position, layer)
    if isinstance(layer, Resize) and position < first:
        return ResizeStage(device, position, layer)
    if isinstance(layer, Flatten):
        return FlattenStage(device, position)
    if isinstance(layer, Block):
        return BlockStage(device, position, layer, shape, partial(_branch, device))
    return ComposedStage(device, position, layer, elementwise=isinstance(layer, Activation))


def _branch(device: Device, layers: tuple[Layer, ...], shape: Shape) -> tuple[Stage, ...]:
    """The stages of a block's branch, on an input of that shape, whose gradient may be wanted."""
    shapes = [shape]
    for layer in layers:
        shapes.append(layer.output_shape(shapes[-1]))
    return _chain(layers, shapes, device, NONE_FIRST)


def _pays_in_blocks(layer: Conv2D) -> bool:
    plain = layer.groups == 1 and layer.dilation == (1, 1) and layer.stride != (1, 1)
    return plain and layer.in_channels is not None and layer.in_channels < FEW_CHANNELS


def _has_bias(layer: Layer) -> bool:
    return isinstance(layer, Conv2D | Dense) and layer.bias
