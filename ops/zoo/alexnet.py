"""AlexNet (Krizhevsky, Sutskever and Hinton, 2012)."""

from ops.layers import Conv2D, Dense, Dropout, Flatten, MaxPool2D, ReLU, Shape
from ops.network import Network
from ops.zoo.registry import register


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
