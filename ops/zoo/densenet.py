"""DenseNet (Huang et al., Densely connected convolutional networks, 2017): every layer sees all before it."""

from ops.layers import AvgPool2D, BatchNorm2D, Concat, Conv2D, Dense, Flatten, Layer, MaxPool2D, ReLU, Shape
from ops.network import Network
from ops.zoo.registry import register

GROWTH = 32
"""How many channels each convolution of a dense block adds."""


@register("densenet")
def densenet(input_shape: Shape, classes: int) -> Network:
    """DenseNet as the textbook has it: four blocks of four convolutions, on 96x96 images."""
    layers: list[Layer] = [Conv2D(64, 7, stride=2, padding=3), BatchNorm2D(), ReLU()]
    layers.append(MaxPool2D(3, stride=2, padding=1))
    channels = 64
    for block in range(4):
        if block:
            channels //= 2
            layers += [BatchNorm2D(), ReLU(), Conv2D(channels, 1), AvgPool2D(2)]
        layers += [grown()] * 4
        channels += 4 * GROWTH
    layers += [BatchNorm2D(), ReLU(), AvgPool2D(global_pool=True), Flatten(), Dense(classes)]
    return Network("densenet", input_shape, tuple(layers), initializer="he")


def grown() -> Layer:
    """The input itself, and beside it the channels that a convolution makes of it."""
    return Concat(((), (BatchNorm2D(), ReLU(), Conv2D(GROWTH, 3, padding=1))))
