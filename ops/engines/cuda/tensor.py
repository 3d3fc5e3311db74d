"""Which convolutions are products on tensor cores, and how the warps of a block share them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import ceil, prod

from ops.engines.cuda.tiles import THREADS, WARP
from ops.layers import Conv2D
from ops.network import Network

WARPS = THREADS // WARP

MOST_CHANNELS = 32
"""So many columns of a product a warp makes at once, in the registers that it has."""

MOST_SUMS = 6
"""So many tiles of 16 x 8 sums a warp keeps while it goes over all places: 48 of its threads' 128 registers."""

BANKS = 32

MOST_SCRATCH = 15 * 1024
"""Floats in which warps leave what others add up."""


@dataclass(frozen=True)
class Product:
    """How a convolution is computed on tensor cores: see `TensorConv` in tensor.cuh.

    Attributes:
        input_shape: what it reads, edges included.
        mine: tiles of the filters' gradients that a warp makes.
        parts: among how many warps the places are shared for each.
        at_once: channels of the input whose gradient is made at a time.
        table: how many numbers its tables have.
        scratch: how many floats its passes leave for each other.
    """

    input_shape: tuple[int, int, int]
    mine: int
    parts: int
    at_once: int
    table: int
    scratch: int


def halo(network: Network) -> tuple[int, int]:
    """Rows and columns of zeros around the image, where its first layer is a convolution with padding."""
    layer = network.layers[0]
    return _pair(layer.padding) if isinstance(layer, Conv2D) and _suits(layer) else (0, 0)


def pitch(width: int) -> int:
    """How far apart rows of the image begin: so that taps of two rows, and eight places of each, lie in 32 banks."""
    return next(size for size in range(width, width + BANKS) if size % BANKS in (12, 20))


def product(network: Network, index: int) -> Product | None:
    """How a layer is computed on tensor cores; None where it isn't.

    Filters have one group and few channels. Only the first layer's may have padding, for around the image there is
    room, or a stride, for no gradient goes back from there.
    """
    layer = network.layers[index]
    if not isinstance(layer, Conv2D) or not _suits(layer):
        return None
    if index and (_pair(layer.padding), _pair(layer.stride)) != ((0, 0), (1, 1)):
        return None
    (channels, height, width), (_, *made) = network.shapes[index], network.shapes[index + 1]
    edges = (0, 0) if index else halo(network)
    window, places, wide = prod(_pair(layer.kernel_size)), prod(made), ceil(layer.channels / 8)
    tiles, fours = ceil(channels * window / 16), ceil(places / 4)
    mine = min(
        (size for size in range(1, tiles + 1) if size * wide <= MOST_SUMS and ceil(tiles / size) <= WARPS),
        key=lambda size: _instructions(size, wide) * ceil(fours / (WARPS // ceil(tiles / size))),
        default=0,
    )
    if not mine:
        return None
    groups = ceil(tiles / mine)
    parts = min(WARPS // groups, fours)
    shares = _shares(made[0] * width, window, width - made[1])
    fitting = [n for n in range(1, channels + 1) if channels % n == 0 and shares(n) <= MOST_SCRATCH]
    sums = parts * (groups * mine * wide * 128 + 8 * wide)
    if sums > MOST_SCRATCH or (index and not fitting):
        return None
    at_once = max(fitting, default=1)
    return Product(
        input_shape=(channels, height + 2 * edges[0], width if index else pitch(width + 2 * edges[1])),
        mine=mine,
        parts=parts,
        at_once=at_once,
        table=16 * tiles + places,
        scratch=max(sums, shares(at_once) if index else 0),
    )


def _suits(layer: Conv2D) -> bool:
    return layer.groups == 1 and layer.channels <= MOST_CHANNELS


def _shares(example: int, window: int, room: int) -> Callable[[int], int]:
    """How many floats the shares of so many channels take: see `input` in tensor.cuh."""
    column = (2 * example + 11) // 16 * 16 + 4
    return lambda channels: channels * window * column + 2 * room


def _instructions(mine: int, wide: int) -> int:
    """Of a warp, for four places: loads, numbers taken apart, products, and what is made once for all tiles."""
    return mine * (18 + 3 * wide) + 10 * wide + 10


def _pair(both: int | Sequence[int]) -> tuple[int, int]:
    first, second = (both, both) if isinstance(both, int) else both
    return first, second
