"""A network of ours in PyTorch, under our names: `load_state_dict` takes the weights that a model exports."""

from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import nn

from ops.layers import (
    GELU,
    AdaptiveAvgPool2D,
    AvgPool2D,
    BatchNorm2D,
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
    Shape,
    Sigmoid,
    SiLU,
    Tanh,
    names_of,
)
from ops.network import Network


def module(network: Network) -> nn.Sequential:
    """The network in PyTorch, with its own initial weights."""
    return _sequential(network.layers, network.input_shape)


class ResidualModule(nn.Module):
    """The peer of `ops.Residual`."""

    def __init__(self, body: nn.Module, shortcut: nn.Module) -> None:
        super().__init__()
        self.body = body
        self.shortcut = shortcut

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """body(x) + shortcut(x)."""
        y: torch.Tensor = self.body(x) + self.shortcut(x)
        return y


class ConcatModule(nn.Module):
    """The peer of `ops.Concat`."""

    def __init__(self, branches: Iterable[nn.Module]) -> None:
        super().__init__()
        self.branches = nn.ModuleList(branches)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The channels of all branches."""
        return torch.cat([branch(x) for branch in self.branches], dim=1)


class NormalizeModule(nn.Module):
    """The peer of `ops.Normalize`."""

    def __init__(self, layer: Normalize) -> None:
        super().__init__()
        for name in ("means", "deviations"):
            self.register_buffer(name, torch.tensor(getattr(layer, name)), persistent=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(x - means) / deviations, for x (n, c, h, w) or (n, c)."""
        channels = (-1, *[1] * (x.ndim - 2))
        y: torch.Tensor = (x - self.means.reshape(channels)) / self.deviations.reshape(channels)
        return y


def _sequential(layers: Sequence[Layer], shape: Shape) -> nn.Sequential:
    made = nn.Sequential()
    for name, layer in zip(names_of(layers), layers, strict=True):
        made.add_module(name, _layer(layer, shape))
        shape = layer.output_shape(shape)
    return made


def _layer(layer: Layer, shape: Shape) -> nn.Module:
    match layer:
        case Residual():
            return ResidualModule(_sequential(layer.body, shape), _sequential(layer.shortcut, shape))
        case Concat():
            return ConcatModule(_sequential(branch, shape) for branch in layer.branches)
        case Conv2D():
            pairs: dict[str, Any] = {"stride": layer.stride, "padding": layer.padding, "dilation": layer.dilation}
            return nn.Conv2d(shape[0], layer.channels, layer.kernel_size, groups=layer.groups, bias=layer.bias, **pairs)
        case Dense():
            return nn.Linear(shape[0], layer.units, bias=layer.bias)
        case BatchNorm2D():
            norm = nn.BatchNorm2d if len(shape) == 3 else nn.BatchNorm1d
            return norm(shape[0], eps=layer.epsilon, momentum=layer.momentum)
        case GroupNorm():
            return nn.GroupNorm(layer.groups, shape[0], eps=layer.epsilon)
        case MaxPool2D() | AvgPool2D():
            return _pool(layer, shape)
        case AdaptiveAvgPool2D():
            return nn.AdaptiveAvgPool2d(layer.output_size)
        case Resize():
            return nn.Upsample(layer.size, mode="bilinear")
    return _without_parameters(layer)


def _pool(layer: MaxPool2D | AvgPool2D, shape: Shape) -> nn.Module:
    window = layer.window((shape[1], shape[2]))
    place = window["window"], window["stride"], window["padding"], window["ceil_mode"]
    if isinstance(layer, AvgPool2D):
        return nn.AvgPool2d(*place, count_include_pad=layer.count_include_pad)
    return nn.MaxPool2d(*place[:3], ceil_mode=place[3])


def _without_parameters(layer: Layer) -> nn.Module:
    match layer:
        case Sigmoid():
            return nn.Sigmoid()
        case Tanh():
            return nn.Tanh()
        case ReLU():
            return nn.ReLU()
        case GELU():
            return nn.GELU(approximate="tanh")
        case SiLU():
            return nn.SiLU()
        case Normalize():
            return NormalizeModule(layer)
        case LeakyReLU():
            return nn.LeakyReLU(layer.negative_slope)
        case Flatten():
            return nn.Flatten()
        case Dropout():
            return nn.Dropout(layer.rate)
    raise SystemExit(f"no peer for {layer}")
