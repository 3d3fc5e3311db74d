"""LeNet (LeCun et al., 1998), as the textbook has it and with what came later."""

from ops.layers import AvgPool2D, Conv2D, Dense, Flatten, MaxPool2D, ReLU, Shape, Sigmoid
from ops.network import Network
from ops.zoo.registry import register


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
