"""Network in network (Lin, Chen and Yan, 2014): a small network at every place, and no dense layer."""

from ops.layers import AvgPool2D, Conv2D, Dropout, Flatten, Layer, MaxPool2D, ReLU, Shape
from ops.network import Network
from ops.zoo.registry import register


@register("nin")
def nin(input_shape: Shape, classes: int) -> Network:
    """NiN as the textbook has it, on 224x224 images."""
    layers = (
        *nin_block(96, 11, stride=4),
        MaxPool2D(3, stride=2),
        *nin_block(256, 5, padding=2),
        MaxPool2D(3, stride=2),
        *nin_block(384, 3, padding=1),
        MaxPool2D(3, stride=2),
        Dropout(0.5),
        *nin_block(classes, 3, padding=1),
        AvgPool2D(global_pool=True),
        Flatten(),
    )
    return Network("nin", input_shape, layers, initializer="he")


def nin_block(channels: int, size: int, *, stride: int = 1, padding: int = 0) -> tuple[Layer, ...]:
    """A convolution, and two of 1x1 behind it: a dense network for each place."""
    wide = Conv2D(channels, size, stride=stride, padding=padding)
    return wide, ReLU(), Conv2D(channels, 1), ReLU(), Conv2D(channels, 1), ReLU()
