"""Launches of the kernels in `kernels.cu`: check nothing, allocate, launch, return. Planes are (n, h, w, c)."""

from dataclasses import dataclass
from itertools import product
from math import prod
from typing import Any, Protocol

from ops.arrays import Array
from ops.geometry import Pair
from ops.random import seed_key
from ops.step_config import StepConfig

THREADS = 256
WARP = 32
ROWS = 64
"""The least rows of which a block sums a bias's gradient."""

MOST_GROUPS = 512
"""So many groups of rows at most, or their sums would be the work."""

_FLAGS = ("false", "true")

KERNELS = (
    *(f"add_bias<{pack}, {relu}>" for pack, relu in product((1, 4), _FLAGS)),
    *(f"bias_partials<{pack}, {relu}>" for pack, relu in product((1, 4), _FLAGS)),
    "sum_partials",
    *(f"max_pool<{pack}>" for pack in (1, 4)),
    *(f"pool_grad<{pack}, {largest}>" for pack, largest in product((1, 4), _FLAGS)),
    *(f"avg_pool<{pack}>" for pack in (1, 4)),
    "resize",
    "dropout",
    "blocks_to_channels",
    *(f"sgd<{momentum}, {nesterov}>" for momentum, nesterov in product(_FLAGS, _FLAGS)),
)
"""Every kernel, by the name under which it is launched."""


class Launcher(Protocol):
    """What launches kernels.

    `launch` takes arrays of the device, ints and floats of 32 bits; None is a null pointer. threads: of a block.
    """

    def empty(self, shape: tuple[int, ...], dtype: str = "f4") -> Array: ...

    def launch(self, kernel: str, blocks: int, *arguments: Any, threads: int = THREADS) -> None: ...


@dataclass(frozen=True)
class Pool:
    """A pooling's geometry: (h, w) and (p, q) of the planes, the window's size, stride and padding."""

    plane: Pair
    places: Pair
    size: Pair
    stride: Pair
    padding: Pair

    @property
    def numbers(self) -> tuple[int, ...]:
        """As the kernels take it."""
        return (*self.plane, *self.places, *self.size, *self.stride, *self.padding)


def add_bias(device: Launcher, y: Array, bias: Array, *, relu: bool) -> None:
    """y (…, c) += bias (c,), then max(y, 0) if asked for; in place."""
    packs, per_row, pack = _packs(y)
    device.launch(f"add_bias<{pack}, {_flag(relu)}>", _blocks(packs), y, bias, packs, per_row)


def bias_gradient(device: Launcher, dy: Array, y: Array, into: Array | None, *, relu: bool) -> Array:
    """The gradient in front of a bias and ReLU, and that of the bias.

    Args:
        device: what launches.
        dy: (…, c), the gradient behind.
        y: (…, c), what ReLU gave.
        into: (c,), where the bias's gradient goes; None if there is no bias.
        relu: whether there was one; else dy itself is the gradient in front.
    """
    if not relu and into is None:
        return dy
    packs, per_row, pack = _packs(dy)
    rows = packs // per_row
    each = max(ROWS, -(-rows // MOST_GROUPS))
    groups = -(-rows // each)
    partial = device.empty((groups, dy.shape[-1]))
    dz = device.empty(dy.shape) if relu else None
    blocks = groups * -(-per_row // WARP)
    kernel = f"bias_partials<{pack}, {_flag(relu)}>"
    device.launch(kernel, blocks, dy, y if relu else None, dz, partial, rows, each, per_row)
    if into is not None:
        channels = dy.shape[-1]
        device.launch("sum_partials", -(-channels // WARP), partial, into, groups, channels)
    return dy if dz is None else dz


def max_pool(device: Launcher, x: Array, pool: Pool) -> tuple[Array, Array]:
    """`ops.max_pool2d`: y and argmax, both (n, p, q, c)."""
    y = device.empty((x.shape[0], *pool.places, x.shape[3]))
    argmax = device.empty(y.shape, "u1")
    packs, _, pack = _packs(y)
    device.launch(f"max_pool<{pack}>", _blocks(packs), x, y, argmax, *pool.numbers, packs, x.shape[3] // pack)
    return y, argmax


def max_pool_grad(device: Launcher, dy: Array, argmax: Array, pool: Pool) -> Array:
    """`ops.max_pool2d_grad`: dx (n, h, w, c)."""
    return _pool_grad(device, dy, argmax, None, pool)


def avg_pool(device: Launcher, x: Array, counts: Array, pool: Pool) -> Array:
    """`ops.avg_pool2d`: y (n, p, q, c); counts: (p, q) float32, what each sum is divided by."""
    y = device.empty((x.shape[0], *pool.places, x.shape[3]))
    packs, _, pack = _packs(y)
    device.launch(f"avg_pool<{pack}>", _blocks(packs), x, counts, y, *pool.numbers, packs, x.shape[3] // pack)
    return y


def avg_pool_grad(device: Launcher, dy: Array, counts: Array, pool: Pool) -> Array:
    """`ops.avg_pool2d_grad`: dx (n, h, w, c)."""
    return _pool_grad(device, dy, None, counts, pool)


def resize(device: Launcher, x: Array, size: Pair) -> Array:
    """`ops.resize2d`: y (n, *size, c)."""
    n, height, width, channels = x.shape
    y = device.empty((n, *size, channels))
    device.launch("resize", _blocks(prod(y.shape)), x, y, height, width, *size, channels, prod(y.shape))
    return y


def blocks_to_channels(device: Launcher, x: Array, places: Pair, block: Pair, padding: Pair) -> Array:
    """Blocks of an image as the channels of a smaller one, so that a stride of a block becomes a stride of one.

    Args:
        device: what launches.
        x: (n, h, w, c).
        places: how many blocks there are, down and across.
        block: pixels of a block, down and across.
        padding: zeros above and to the left of the first block; what lies beyond the image is zero too.

    Returns:
        (n, *places, block height * block width * c).
    """
    n, height, width, channels = x.shape
    y = device.empty((n, *places, prod(block) * channels))
    numbers = (height, width, channels, *places, *block, *padding, prod(y.shape))
    device.launch("blocks_to_channels", _blocks(prod(y.shape)), x, y, *numbers)
    return y


def dropout(device: Launcher, x: Array, rate: float, examples: Array, *, seed: int, epoch: int, position: int) -> Array:
    """x times `ops.dropout.dropout_mask`; its gradient is the same of dy. examples: (n,) int32."""
    y = device.empty(x.shape)
    low_key, high_key = seed_key(seed)
    threshold, scale = min(round(rate * 2**32), 2**32 - 1), 1 / (1 - rate)
    channels, places = x.shape[-1], prod(x.shape[1:-1])
    numbers = (epoch, low_key, high_key, 2 + position, threshold, scale, channels, places, prod(x.shape))
    device.launch("dropout", _blocks(prod(x.shape)), x, y, examples, *numbers)
    return y


def sgd(device: Launcher, theta: Array, velocity: Array, gradient: Array, rate: Array, step_config: StepConfig) -> None:
    """`ops.optimizers.sgd.sgd_update` in one pass; rate: (1,) float32. The gradient stays as it is."""
    kernel = f"sgd<{_flag(step_config.momentum != 0)}, {_flag(step_config.nesterov)}>"
    numbers = (rate, float(step_config.momentum), float(step_config.weight_decay), theta.size)
    device.launch(kernel, _blocks(theta.size), theta, velocity, gradient, *numbers)


def _pool_grad(device: Launcher, dy: Array, argmax: Array | None, counts: Array | None, pool: Pool) -> Array:
    dx = device.empty((dy.shape[0], *pool.plane, dy.shape[3]))
    packs, _, pack = _packs(dx)
    device.launch(
        f"pool_grad<{pack}, {_flag(argmax is not None)}>",
        *(_blocks(packs), dy, argmax, counts, dx, *pool.numbers, packs, dy.shape[3] // pack),
    )
    return dx


def _packs(x: Array) -> tuple[int, int, int]:
    """Packs in all, packs of a row of channels, numbers of a pack."""
    pack = 1 if x.shape[-1] % 4 else 4
    return prod(x.shape) // pack, x.shape[-1] // pack, pack


def _blocks(threads: int) -> int:
    return -(-threads // THREADS)


def _flag(value: bool) -> str:
    return _FLAGS[bool(value)]
