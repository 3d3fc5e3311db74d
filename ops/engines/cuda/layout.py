"""Where a block's numbers lie in its shared memory, and what it leaves behind for the update."""

from dataclasses import dataclass
from math import prod

from ops.layers import Conv2D, Dense, Flatten
from ops.layers.activation import Activation
from ops.network import Network, Slice

MOST_SHARED = 163 * 1024
"""Bytes of shared memory that a block takes at most: what it may have on an A100, and on every larger GPU since."""

MOST_EXAMPLES = 2
"""A block takes up to so many examples: half a batch of 256 is about as many blocks as a large GPU has multiprocessors,
and each weight that a block loads serves all of them."""

TILE = 4
"""So many outputs of a dense layer are made together: by a warp going forward, by a thread of the update, which reads
their gradients at once."""

BATCH_PARTS = 4
"""So many warps of the update share the batch."""


@dataclass(frozen=True)
class Layout:
    """Offsets in floats.

    outputs: for the image and after each layer, where an example's numbers are; an activation right behind a product is
        computed with it, in its place. gradients: two buffers that take turns as a gradient travels back.
    floats: of one example; the next one's numbers begin there. examples: how many a block takes.
    filters: for the convolutions whose weights are copied behind the examples, where they are.
    stash: for each dense layer where its input and its output's gradient begin in an example's row of the stash.
    partials: for each convolution where the gradients of weights and bias begin in a block's row of the partial sums.
    filter_floats, stash_floats, partial_floats: how many there are of each.
    """

    outputs: tuple[int, ...]
    gradients: tuple[int, int]
    floats: int
    examples: int
    filters: dict[int, int]
    filter_floats: int
    stash: dict[int, tuple[int, int]]
    stash_floats: int
    partials: dict[int, int]
    partial_floats: int

    @property
    def bytes(self) -> int:
        """Shared memory of a block."""
        return 4 * (self.examples * self.floats + self.filter_floats)

    def blocks(self, count: int) -> int:
        """How many blocks take so many examples."""
        return -(-count // self.examples)


def fused(network: Network, index: int) -> bool:
    """Whether the layer is an activation computed by the product before it."""
    layers = network.layers
    return (
        0 < index < len(layers)
        and isinstance(layers[index], Activation)
        and isinstance(layers[index - 1], Conv2D | Dense)
    )


def layout(network: Network, shared: int = MOST_SHARED) -> Layout:
    """Lay out a network that `check` takes. shared: bytes of shared memory that a block may have on the GPU."""
    room = min(shared, MOST_SHARED) // 4
    outputs, end = [0], prod(network.input_shape)
    stash: dict[int, tuple[int, int]] = {}
    partials: dict[int, int] = {}
    stashed = partial = 0
    for index, layer in enumerate(network.layers):
        if fused(network, index) or isinstance(layer, Flatten):
            outputs.append(outputs[-1])
        else:
            outputs.append(end)
            end += prod(network.shapes[index + 1])
        if isinstance(layer, Dense):
            inputs, units = _whole_tiles(network.shapes[index][0]), _whole_tiles(layer.units)
            stash[index] = (stashed, stashed + inputs)
            stashed += inputs + units
        elif isinstance(layer, Conv2D):
            partials[index] = partial
            partial += sum(map(prod, layer.parameter_shapes(network.shapes[index]).values()))
    widest = max(map(prod, network.shapes[1:]))
    floats = (end + 2 * widest) | 1  # odd: the same place of two examples lies in two of the 32 banks
    examples = max(1, min(MOST_EXAMPLES, room // floats))
    filters, filter_floats = _filters(network, room - examples * floats)
    return Layout(
        outputs=tuple(outputs),
        gradients=(end, end + widest),
        floats=floats,
        examples=examples,
        filters=filters,
        filter_floats=filter_floats,
        stash=stash,
        stash_floats=max(stashed, TILE),
        partials=partials,
        partial_floats=max(partial, 1),
    )


def update_jobs(network: Network, piece: Slice) -> int:
    """How many jobs the gradient of one array is cut into: one for each number, or for each tile of dense weights."""
    layer = network.layers[piece.layer]
    if isinstance(layer, Dense) and piece.key == "weight":
        return network.shapes[piece.layer][0] * _whole_tiles(layer.units) // TILE
    return piece.stop - piece.start


def _filters(network: Network, room: int) -> tuple[dict[int, int], int]:
    """Where weights of convolutions are copied to, as far as there is room."""
    filters, end = {}, 0
    for index, layer in enumerate(network.layers):
        if isinstance(layer, Conv2D):
            size = prod(layer.parameter_shapes(network.shapes[index])["weight"])
            if end + size <= room:
                filters[index] = end
                end += size
    return filters, end


def _whole_tiles(size: int) -> int:
    return -(-size // TILE) * TILE
