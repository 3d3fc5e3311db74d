"""ResNet (He et al., Deep residual learning for image recognition, 2016): blocks that learn what to add."""

from ops.layers import AvgPool2D, BatchNorm2D, Conv2D, Dense, Flatten, Layer, MaxPool2D, ReLU, Residual, Shape
from ops.network import Network
from ops.zoo.registry import register


@register("resnet18")
def resnet18(input_shape: Shape, classes: int) -> Network:
    """ResNet-18 as the textbook has it: biases in its convolutions, no batch norm on its shortcuts, on 96x96 images."""
    layers: list[Layer] = [Conv2D(64, 7, stride=2, padding=3), BatchNorm2D(), ReLU()]
    layers.append(MaxPool2D(3, stride=2, padding=1))
    for stage, channels in enumerate((64, 128, 256, 512)):
        for block in range(2):
            narrows = stage > 0 and block == 0
            shortcut = (Conv2D(channels, 1, stride=2),) if narrows else ()
            layers += residual(channels, 2 if narrows else 1, shortcut, bias=True)
    return Network("resnet18", input_shape, (*layers, *head(classes)), initializer="he")


@register("resnet8")
def resnet8(input_shape: Shape, classes: int) -> Network:
    """One residual block for each of 16, 32 and 64 channels: about 78,000 parameters, for 28x28 or 32x32 images."""
    layers: list[Layer] = [Conv2D(16, 3, padding=1, bias=False), BatchNorm2D(), ReLU()]
    for channels in (16, 32, 64):
        narrows = channels > 16
        shortcut = (Conv2D(channels, 1, stride=2, bias=False), BatchNorm2D()) if narrows else ()
        layers += residual(channels, 2 if narrows else 1, shortcut)
    return Network("resnet8", input_shape, (*layers, *head(classes)), initializer="he")


def residual(channels: int, stride: int, shortcut: tuple[Layer, ...], *, bias: bool = False) -> tuple[Layer, ...]:
    """Two 3x3 convolutions with batch norm, the shortcut, and a ReLU behind the sum."""
    body = (
        *(Conv2D(channels, 3, stride=stride, padding=1, bias=bias), BatchNorm2D(), ReLU()),
        *(Conv2D(channels, 3, padding=1, bias=bias), BatchNorm2D()),
    )
    return Residual(body, shortcut), ReLU()


def head(classes: int) -> tuple[Layer, ...]:
    """The mean of each channel, and a dense layer."""
    return AvgPool2D(global_pool=True), Flatten(), Dense(classes)
