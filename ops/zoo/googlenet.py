"""GoogLeNet (Szegedy et al., Going deeper with convolutions, 2015): filters of several sizes side by side."""

from ops.layers import AvgPool2D, Concat, Conv2D, Dense, Flatten, Layer, MaxPool2D, ReLU, Shape
from ops.network import Network
from ops.zoo.registry import register


@register("googlenet")
def googlenet(input_shape: Shape, classes: int) -> Network:
    """GoogLeNet as the textbook has it: without auxiliary losses, on 96x96 images."""
    halve = MaxPool2D(3, stride=2, padding=1)
    layers = (
        *(Conv2D(64, 7, stride=2, padding=3), ReLU(), halve),
        *(Conv2D(64, 1), ReLU(), Conv2D(192, 3, padding=1), ReLU(), halve),
        inception(64, (96, 128), (16, 32), 32),
        inception(128, (128, 192), (32, 96), 64),
        halve,
        inception(192, (96, 208), (16, 48), 64),
        inception(160, (112, 224), (24, 64), 64),
        inception(128, (128, 256), (24, 64), 64),
        inception(112, (144, 288), (32, 64), 64),
        inception(256, (160, 320), (32, 128), 128),
        halve,
        inception(256, (160, 320), (32, 128), 128),
        inception(384, (192, 384), (48, 128), 128),
        AvgPool2D(global_pool=True),
        Flatten(),
        Dense(classes),
    )
    return Network("googlenet", input_shape, layers, initializer="he")


def inception(one: int, three: tuple[int, int], five: tuple[int, int], pooled: int) -> Layer:
    """Filters of 1x1, 3x3 and 5x5, and a pooling; a pair has the channels of the 1x1 filters in front, and its own."""
    return Concat(
        (
            (Conv2D(one, 1), ReLU()),
            (Conv2D(three[0], 1), ReLU(), Conv2D(three[1], 3, padding=1), ReLU()),
            (Conv2D(five[0], 1), ReLU(), Conv2D(five[1], 5, padding=2), ReLU()),
            (MaxPool2D(3, stride=1, padding=1), Conv2D(pooled, 1), ReLU()),
        )
    )
