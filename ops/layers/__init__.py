"""The layers a network is made of, each a frozen dataclass."""

from ops.layers.activation import LeakyReLU, ReLU, Sigmoid, Tanh
from ops.layers.base import Context, Layer, Shape
from ops.layers.conv import Conv2D
from ops.layers.dense import Dense
from ops.layers.dropout import Dropout
from ops.layers.flatten import Flatten
from ops.layers.pool import AvgPool2D, MaxPool2D
from ops.layers.resize import Resize

__all__ = [
    "AvgPool2D",
    "Context",
    "Conv2D",
    "Dense",
    "Dropout",
    "Flatten",
    "Layer",
    "LeakyReLU",
    "MaxPool2D",
    "ReLU",
    "Resize",
    "Shape",
    "Sigmoid",
    "Tanh",
]
