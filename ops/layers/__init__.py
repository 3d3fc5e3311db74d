"""The layers a network is made of, each a frozen dataclass in a file that registers it.

Every module of this folder is imported here. `find("conv2d")` gives a layer by its name; a layer whose file has just
been added is there as an attribute too, though only the names below are known to type checkers.
"""

from importlib import import_module
from pkgutil import iter_modules
from typing import Any

from ops.layers.activation import GELU, LeakyReLU, ReLU, Sigmoid, SiLU, Tanh
from ops.layers.adaptive_pool import AdaptiveAvgPool2D
from ops.layers.base import Context, Layer, Shape, find, names, register
from ops.layers.block import Block, names_of
from ops.layers.concat import Concat
from ops.layers.conv import Conv2D
from ops.layers.dense import Dense
from ops.layers.dropout import Dropout
from ops.layers.flatten import Flatten
from ops.layers.norm import BatchNorm2D, GroupNorm
from ops.layers.normalize import Normalize
from ops.layers.pool import AvgPool2D, MaxPool2D
from ops.layers.residual import Residual
from ops.layers.resize import Resize

for _module in iter_modules(__path__):
    import_module(f"{__name__}.{_module.name}")

__all__ = [
    "GELU",
    "AdaptiveAvgPool2D",
    "AvgPool2D",
    "BatchNorm2D",
    "Block",
    "Concat",
    "Context",
    "Conv2D",
    "Dense",
    "Dropout",
    "Flatten",
    "GroupNorm",
    "Layer",
    "LeakyReLU",
    "MaxPool2D",
    "Normalize",
    "ReLU",
    "Residual",
    "Resize",
    "Shape",
    "SiLU",
    "Sigmoid",
    "Tanh",
    "find",
    "names",
    "names_of",
    "register",
]


def __getattr__(name: str) -> Any:
    """A layer of a file that is not named above."""
    if name.lower() in names() and find(name.lower()).__name__ == name:
        return find(name.lower())
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
