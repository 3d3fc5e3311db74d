"""A network under 100,000 parameters for small images, all of whose layers the fast engine of CPUs takes."""

from ops.layers import Conv2D, Dense, Dropout, Flatten, GroupNorm, Layer, MaxPool2D, ReLU, Shape
from ops.network import Network
from ops.zoo.registry import register


@register("groupnet")
def groupnet(input_shape: Shape, classes: int) -> Network:
    """Five convolutions with group norm (Wu and He, 2018), pooled to 3x3: 94,906 parameters for 28x28 and ten classes.

    Group norm knows nothing of other examples, so that neither the number of shards nor the batch changes a network,
    and each example keeps to its lane of a vector.
    """
    layers = (
        *(*normed(16, 5, groups=4), MaxPool2D(2)),
        *(*normed(32, 3, groups=8), *normed(48, 3, groups=8), MaxPool2D(2)),
        *(*normed(64, 3, groups=8), *normed(72, 3, groups=8), MaxPool2D(2)),
        *(Flatten(), Dropout(0.2), Dense(classes)),
    )
    return Network("groupnet", input_shape, layers, initializer="he")


def normed(channels: int, size: int, *, groups: int) -> tuple[Layer, ...]:
    """A convolution that keeps the plane's size, group norm and a ReLU."""
    return Conv2D(channels, size, padding=size // 2, bias=False), GroupNorm(groups), ReLU()
