"""Where one example's numbers lie in a block's shared memory, and what a block leaves behind for the update."""

from dataclasses import dataclass
from math import prod

from ops.layers import Conv2D, Dense, Flatten
from ops.layers.activation import Activation
from ops.network import Network


@dataclass(frozen=True)
class Layout:
    """Offsets in floats.

    outputs: for the image and after each layer, where its numbers are in shared memory; an activation right
        behind a product is computed with it, in its place.
    gradients: two buffers that take turns as a gradient travels back.
    stash: for each layer with parameters where its part begins in an example's row of the stash: a dense layer leaves
        its input and its output's gradient, a convolution the example's gradients of weights and bias.
    """

    outputs: tuple[int, ...]
    gradients: tuple[int, int]
    floats: int
    stash: dict[int, int]
    stash_floats: int

    @property
    def bytes(self) -> int:
        """Shared memory of a block."""
        return 4 * self.floats


def fused(network: Network, index: int) -> bool:
    """Whether the layer is an activation computed by the product before it."""
    layers = network.layers
    return index > 0 and isinstance(layers[index], Activation) and isinstance(layers[index - 1], Conv2D | Dense)


def layout(network: Network) -> Layout:
    """Lay out a network that `check` takes."""
    outputs, end = [0], prod(network.input_shape)
    stash: dict[int, int] = {}
    stashed = 0
    for index, layer in enumerate(network.layers):
        if fused(network, index) or isinstance(layer, Flatten):
            outputs.append(outputs[-1])
        else:
            outputs.append(end)
            end += prod(network.shapes[index + 1])
        if isinstance(layer, Dense):
            stash[index] = stashed
            stashed += network.shapes[index][0] + layer.units
        elif isinstance(layer, Conv2D):
            stash[index] = stashed
            stashed += sum(map(prod, layer.parameter_shapes(network.shapes[index]).values()))
    widest = max(map(prod, network.shapes[1:]))
    return Layout(tuple(outputs), (end, end + widest), end + 2 * widest, stash, stashed)
