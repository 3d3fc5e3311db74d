"""Networks ready to train, each a name and a tuple of layers.

A network is added by one function like these, under `@register("its-name")`; no engine needs to know.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from ops.errors import OpsError
from ops.layers import (
    AvgPool2D,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    Layer,
    MaxPool2D,
    ReLU,
    Resize,
    Shape,
    Sigmoid,
)
from ops.network import Network

NetworkFunction = Callable[[Shape, int], Network]
"""From the shape of an example (c, h, w) and the number of classes to a network."""

_NETWORKS: dict[str, NetworkFunction] = {}

ZOO: Mapping[str, NetworkFunction] = MappingProxyType(_NETWORKS)
"""The networks by name."""


def register(name: str) -> Callable[[NetworkFunction], NetworkFunction]:
    """A decorator: the function makes the network of that name.

    Raises OpsError where another module has a network of that name. The same module may define its own anew.
    """

    def add(function: NetworkFunction) -> NetworkFunction:
        if name in _NETWORKS and _NETWORKS[name].__module__ != function.__module__:
            raise OpsError(f"network {name!r} is there already: {_NETWORKS[name].__module__}")
        _NETWORKS[name] = function
        return function

    return add


@register("lenet")
def lenet(input_shape: Shape, classes: int) -> Network:
    """LeNet as the textbook has it: sigmoids and average pooling, 61,706 parameters on 28x28."""
    layers = (
        Conv2D(6, 5, padding=2),
        Sigmoid(),
        AvgPool2D(2),
        Conv2D(16, 5),
        Sigmoid(),
        AvgPool2D(2),
        Flatten(),
        Dense(120),
        Sigmoid(),
        Dense(84),
        Sigmoid(),
        Dense(classes),
    )
    return Network("lenet", input_shape, layers)


@register("lenet-relu")
def lenet_relu(input_shape: Shape, classes: int) -> Network:
    """The same parameters put to better use: ReLU and max pooling."""
    layers = (
        Conv2D(6, 5, padding=2),
        ReLU(),
        MaxPool2D(2),
        Conv2D(16, 5),
        ReLU(),
        MaxPool2D(2),
        Flatten(),
        Dense(120),
        ReLU(),
        Dense(84),
        ReLU(),
        Dense(classes),
    )
    return Network("lenet-relu", input_shape, layers, initializer="he")


@register("mlp")
def mlp(input_shape: Shape, classes: int) -> Network:
    """One hidden layer of 256: what convolution has to beat."""
    return Network("mlp", input_shape, (Flatten(), Dense(256), ReLU(), Dense(classes)), initializer="he")


@register("alexnet")
def alexnet(input_shape: Shape, classes: int) -> Network:
    """AlexNet (Krizhevsky et al., 2012) as the textbook trains it on 224x224 images of one channel."""
    layers = (
        Conv2D(96, 11, stride=4),
        ReLU(),
        MaxPool2D(3, stride=2),
        Conv2D(256, 5, padding=2),
        ReLU(),
        MaxPool2D(3, stride=2),
        Conv2D(384, 3, padding=1),
        ReLU(),
        Conv2D(384, 3, padding=1),
        ReLU(),
        Conv2D(256, 3, padding=1),
        ReLU(),
        MaxPool2D(3, stride=2),
        Flatten(),
        Dense(4096),
        ReLU(),
        Dropout(0.5),
        Dense(4096),
        ReLU(),
        Dropout(0.5),
        Dense(classes),
    )
    return Network("alexnet", input_shape, layers, initializer="he")


def network(name: str, input_shape: Shape, classes: int, *, resize: int = 0) -> Network:
    """The network of that name for examples of `input_shape` (c, h, w), resized first if `resize` is not 0.

    Raises OpsError for a name that is not in the zoo, ShapeError or GeometryError for images too small for it.
    """
    if name not in ZOO:
        raise OpsError(f"network must be one of {', '.join(ZOO)}, got {name!r}")
    if not resize:
        return ZOO[name](input_shape, classes)
    first: Layer = Resize(resize)
    inner = ZOO[name](first.output_shape(input_shape), classes)
    return Network(inner.name, input_shape, (first, *inner.layers), inner.initializer)
