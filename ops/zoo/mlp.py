"""A network without convolutions."""

from ops.layers import Dense, Flatten, ReLU, Shape
from ops.network import Network
from ops.zoo.registry import register


@register("mlp")
def mlp(input_shape: Shape, classes: int) -> Network:
    """One hidden layer of 256: what convolution has to beat."""
    return Network("mlp", input_shape, (Flatten(), Dense(256), ReLU(), Dense(classes)), initializer="he")
