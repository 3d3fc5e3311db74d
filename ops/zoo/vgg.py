"""VGG (Simonyan and Zisserman, Very deep convolutional networks, 2015): the same block again and again."""

from ops.layers import Conv2D, Dense, Dropout, Flatten, Layer, MaxPool2D, ReLU, Shape
from ops.network import Network
from ops.zoo.registry import register

ARCHITECTURE = ((1, 16), (1, 32), (2, 64), (2, 128), (2, 128))
"""Convolutions and channels of each block: a quarter of VGG-11's channels, as the textbook trains it."""


@register("vgg")
def vgg(input_shape: Shape, classes: int) -> Network:
    """VGG-11 with a quarter of the channels, on 224x224 images."""
    blocks = [layer for count, channels in ARCHITECTURE for layer in vgg_block(count, channels)]
    head = (Dense(4096), ReLU(), Dropout(0.5), Dense(4096), ReLU(), Dropout(0.5), Dense(classes))
    return Network("vgg", input_shape, (*blocks, Flatten(), *head), initializer="he")


def vgg_block(count: int, channels: int) -> tuple[Layer, ...]:
    """Some 3x3 convolutions, and half of the height and width."""
    return (*(Conv2D(channels, 3, padding=1), ReLU()) * count, MaxPool2D(2))
