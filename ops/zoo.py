"""Networks ready to train, each a name and a tuple of layers.

A network is added by writing a function like these and naming it in `ZOO`; no engine needs to know.
"""

from collections.abc import Callable
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


def mlp(input_shape: Shape, classes: int) -> Network:
    """One hidden layer of 256: what convolution has to beat."""
    return Network("mlp", input_shape, (Flatten(), Dense(256), ReLU(), Dense(classes)), initializer="he")


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


ZOO: MappingProxyType[str, Callable[[Shape, int], Network]] = MappingProxyType(
    {"lenet": lenet, "lenet-relu": lenet_relu, "mlp": mlp, "alexnet": alexnet}
)


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
