"""Where a block's numbers lie in its shared memory, and what it leaves behind for the update."""

from dataclasses import dataclass, replace
from math import ceil, prod

from ops.engines.cuda.tensor import Product, halo, product
from ops.engines.cuda.tiles import THREADS, WARP
from ops.layers import Conv2D, Dense, Flatten
from ops.layers.activation import Activation
from ops.network import Network, Slice

MOST_SHARED = 163 * 1024
"""Bytes of shared memory that a block takes at most: what it may have on an A100, and on every larger GPU since."""

MOST_SHARED_TENSOR = 227 * 1024
"""The same where convolutions are computed on tensor cores: what GPUs have on which they are."""

LEAST_KEPT = 4096
"""Weights of a layer of which it pays to keep some."""

MOST_EXAMPLES = 2
"""A block takes up to so many examples: half a batch of 256 is about as many blocks as a large GPU has multiprocessors,
and each weight that a block loads serves all of them."""

QUAD = 4
"""Numbers of the stash that the update reads at once: rows begin at multiples of so many."""

BATCH_PARTS = 8
"""So many warps of the update share the batch."""

UPDATE_JOBS = 32
"""How many of `update_jobs` a block of the update takes, with a warp for each part of the batch."""

TILE_OUTPUTS = 16
TILE_INPUTS = 32
"""A block of the update makes the weights between so many outputs and inputs. LeNet's are about as many tiles as a
large GPU has multiprocessors."""

MOST_ROWS = 256
"""Examples whose share of a tile is in a block's shared memory at a time, at most: 48 KB, what every GPU has."""

SOME_ROWS = 64
"""There is room for a multiple of so many, no more than a step has: so more blocks share a multiprocessor."""


@dataclass(frozen=True)
class Kept:
    """Rows of a dense layer's weights that a block has copied before it needs them, and keeps for the way back.

    Attributes:
        layer: which one.
        pieces: where some rows are, and how many, in the order of the rows.
        gradients: where the gradients of the layer's outputs are copied to.
    """

    layer: int
    pieces: tuple[tuple[int, int], ...]
    gradients: int


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
    halo: rows and columns of zeros on each side of the image. pitch: how far apart its rows begin.
    products, tables: for each convolution on tensor cores how it is computed, and where its tables begin.
    scratch: where their warps leave what others add up. kept: rows of weights that are not waited for.
    end: how many floats a block has in all.
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
    halo: tuple[int, int]
    pitch: int
    products: dict[int, Product]
    tables: dict[int, int]
    scratch: int
    kept: Kept | None
    end: int

    @property
    def bytes(self) -> int:
        """Shared memory of a block."""
        return 4 * self.end

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


def layout(network: Network, shared: int = MOST_SHARED, *, tensor_cores: bool = False) -> Layout:
    """Lay out a network that `check` takes.

    Args:
        network: the network.
        shared: bytes of shared memory that a block may have on the GPU.
        tensor_cores: whether convolutions may be computed on tensor cores. They are where a block takes no fewer
            examples for it.
    """
    plain = _layout(network, min(shared, MOST_SHARED) // 4, {})
    if not tensor_cores:
        return plain
    found = {index: product(network, index) for index in range(len(network.layers))}
    products = {index: how for index, how in found.items() if how is not None}
    room = min(shared, MOST_SHARED_TENSOR)
    made = _layout(network, room // 4, products)
    if not products or made.bytes > room or made.examples < plain.examples or products.keys() - made.filters.keys():
        return plain
    return _with_kept(network, made, room // 4)


def _with_kept(network: Network, place: Layout, room: int) -> Layout:
    """The same, with as many rows of the first large dense layer as there is room for while dense layers are computed.

    They lie in the scratch of the convolutions and behind it, and in the buffers of gradients, but for what goes back
    through the dense layers at the beginning of each.
    """
    first = next((index for index, layer in enumerate(network.layers) if isinstance(layer, Dense)), None)
    if first is None or not any(piece.layer < first for piece in network.table):
        return place
    (inputs,), (units,) = network.shapes[first], network.shapes[first + 1]
    widest, through = max(map(prod, network.shapes[1:])), max(map(prod, network.shapes[first:]))
    gradients = room - _whole_quads(place.examples * units) & -QUAD
    free = [(place.scratch, gradients)]
    for example in range(place.examples):
        free += [
            (example * place.floats + at + through, example * place.floats + at + widest) for at in place.gradients
        ]
    weights = next(piece for piece in network.table if piece.layer == first and piece.key == "weight")
    if units * inputs < LEAST_KEPT or gradients < place.end or inputs % QUAD or weights.start % QUAD:
        return place
    # as many outputs as a warp makes at a time are kept, or none of them
    found = [(_whole_quads(start), (end - _whole_quads(start)) // inputs) for start, end in free]
    together = min(8, ceil(units / (THREADS // WARP)))
    left = min(units, sum(max(rows, 0) for _, rows in found)) // together * together
    pieces = []
    for start, rows in found:
        if min(left, rows) > 0:
            pieces.append((start, min(left, rows)))
            left -= min(left, rows)
    return replace(place, kept=Kept(first, tuple(pieces), gradients), end=room) if pieces else place


def _layout(network: Network, room: int, products: dict[int, Product]) -> Layout:
    edges = halo(network) if 0 in products else (0, 0)
    outputs, end = [0], prod(products[0].input_shape if 0 in products else network.input_shape)
    scratch = max((how.scratch for how in products.values()), default=0)
    room -= sum(_whole_quads(how.table) for how in products.values()) + scratch + QUAD
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
            inputs, units = _whole_quads(network.shapes[index][0]), _whole_quads(layer.units)
            stash[index] = (stashed, stashed + inputs)
            stashed += inputs + units
        elif isinstance(layer, Conv2D):
            partials[index] = partial
            partial += sum(map(prod, layer.parameter_shapes(network.shapes[index]).values()))
    widest = max(map(prod, network.shapes[1:]))
    floats = (end + 2 * widest) | 1  # odd: the same place of two examples lies in two of the 32 banks
    examples = max(1, min(MOST_EXAMPLES, room // floats))
    filters, filter_floats = _filters(network, room - examples * floats)
    tables, end_of_all = {}, examples * floats + filter_floats
    for index, how in products.items():
        end_of_all = _whole_quads(end_of_all)
        tables[index] = end_of_all
        end_of_all += _whole_quads(how.table)
    return Layout(
        outputs=tuple(outputs),
        gradients=(end, end + widest),
        floats=floats,
        examples=examples,
        filters=filters,
        filter_floats=filter_floats,
        stash=stash,
        stash_floats=max(stashed, QUAD),
        partials=partials,
        partial_floats=max(partial, 1),
        halo=edges,
        pitch=products[0].input_shape[2] if 0 in products else network.input_shape[-1],
        products=products,
        tables=tables,
        scratch=end_of_all,
        kept=None,
        end=end_of_all + scratch,
    )


def replica_floats(network: Network) -> int:
    """How far apart the parameters of two shards begin: where four numbers may be read at once."""
    return _whole_quads(network.num_parameters)


def update_jobs(network: Network, piece: Slice) -> int:
    """How many sums the gradient of one array is cut into: one for each number; none for weights that go by tiles."""
    return 0 if is_tiled(network, piece) else piece.stop - piece.start


def weight_tiles(network: Network, piece: Slice) -> int:
    """How many tiles the weights of a dense layer are cut into; none for other arrays."""
    if not is_tiled(network, piece):
        return 0
    outputs, inputs = piece.shape
    return -(-outputs // TILE_OUTPUTS) * -(-inputs // TILE_INPUTS)


def is_tiled(network: Network, piece: Slice) -> bool:
    """Whether an array is updated in tiles: the weights of dense layers are."""
    return isinstance(network.layers[piece.layer], Dense) and piece.key == "weight"


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


def _whole_quads(size: int) -> int:
    return -(-size // QUAD) * QUAD
