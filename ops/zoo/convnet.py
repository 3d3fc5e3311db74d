"""A small network for pictures in colour: what LeNet is for digits."""

from ops.layers import Conv2D, Dense, Flatten, MaxPool2D, ReLU, Shape
from ops.network import Network
from ops.zoo.registry import register


@register("convnet")
def convnet(input_shape: Shape, classes: int) -> Network:
    """Three 3x3 convolutions of 32, 64 and 128 channels, each halved by pooling.

    It has 356,810 parameters for ten classes of 32x32 pixels in colour.
    """
    layers = (
        *(Conv2D(32, 3, padding=1), ReLU(), MaxPool2D(2)),
        *(Conv2D(64, 3, padding=1), ReLU(), MaxPool2D(2)),
        *(Conv2D(128, 3, padding=1), ReLU(), MaxPool2D(2)),
        *(Flatten(), Dense(128), ReLU(), Dense(classes)),
    )
    return Network("convnet", input_shape, layers, initializer="he")
