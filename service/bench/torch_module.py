"""A network of ours in PyTorch."""

from typing import Any

from torch import nn

from ops.layers import AvgPool2D, Conv2D, Dense, Dropout, Flatten, Layer, MaxPool2D, ReLU, Resize, Sigmoid
from ops.network import Network


def module(network: Network) -> nn.Sequential:
    """The network in PyTorch, with its own initial weights."""
    pairs = zip(network.layers, network.shapes[:-1], strict=True)
    return nn.Sequential(*(_layer(layer, shape) for layer, shape in pairs))


def _layer(layer: Layer, shape: tuple[int, ...]) -> nn.Module:
    match layer:
        case Conv2D():
            pairs: dict[str, Any] = {"stride": layer.stride, "padding": layer.padding, "dilation": layer.dilation}
            return nn.Conv2d(shape[0], layer.channels, layer.kernel_size, groups=layer.groups, bias=layer.bias, **pairs)
        case Dense():
            return nn.Linear(shape[0], layer.units, bias=layer.bias)
        case MaxPool2D():
            return nn.MaxPool2d(layer.size, layer.stride, layer.padding, ceil_mode=layer.ceil_mode)
        case AvgPool2D():
            return nn.AvgPool2d(layer.size, layer.stride, layer.padding, layer.ceil_mode, layer.count_include_pad)
        case Sigmoid():
            return nn.Sigmoid()
        case ReLU():
            return nn.ReLU()
        case Flatten():
            return nn.Flatten()
        case Dropout():
            return nn.Dropout(layer.rate)
        case Resize():
            return nn.Upsample(layer.size, mode="bilinear")
    raise SystemExit(f"no peer for {layer}")
