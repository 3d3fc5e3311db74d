"""From a network's layers to the stages that a GPU runs."""

from math import prod

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
from ops.layers import AvgPool2D, Conv2D, Dense, Dropout, Flatten, Layer, MaxPool2D, ReLU, Resize
from ops.layers.activation import Activation
from ops.network import Network

MOST_TAPS = 256
"""Which element of a window was the largest is kept in a byte."""


FEW_CHANNELS = 8
"""With fewer, cuDNN's engines do little of what the GPU could."""


def lower(network: Network, device: Device) -> tuple[Stage, ...]:
    """The stages of a network, in order. A ReLU joins the layer before it where that has a bias."""
    layers, stages, position = network.layers, [], 0
    first = network.table[0].layer if network.table else len(layers)
    while position < len(layers):
        relu = position + 1 < len(layers) and isinstance(layers[position + 1], ReLU) and _has_bias(layers[position])
        stages.append(_stage(network, device, position, first, relu=relu))
        position += 1 + relu
    return tuple(stages)


def _stage(network: Network, device: Device, position: int, first: int, *, relu: bool) -> Stage:
    layer, shape = network.layers[position], network.shapes[position]
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
    return ComposedStage(device, position, layer, elementwise=isinstance(layer, Activation))


def _pays_in_blocks(layer: Conv2D) -> bool:
    plain = layer.groups == 1 and layer.dilation == (1, 1) and layer.stride != (1, 1)
    return plain and layer.in_channels is not None and layer.in_channels < FEW_CHANNELS


def _has_bias(layer: Layer) -> bool:
    return isinstance(layer, Conv2D | Dense) and layer.bias
