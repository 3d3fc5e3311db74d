"""Dropout's masks, drawn by example and element with a counter-based generator."""

from math import prod

from ops.arrays import Array, array_module
from ops.checks import check_in
from ops.errors import ShapeError
from ops.random import philox4x32, seed_key


def dropout_mask(x: Array, rate: float, examples: Array, seed: int, epoch: int, position: int) -> Array:
    """What to multiply `x` by: 0 with probability `rate`, else 1 / (1 - rate).

    Element e of an example (counted row by row) gets word e % 4 of

        philox4x32(counter=(example, epoch, e // 4, 2 + position), key=(seed's low 32 bits, high 32 bits))

    and is kept when that word is >= round(rate * 2**32). So the mask belongs to the example: it is the same in any
    batch, on any worker and in any engine.

    Args:
        x: (n, ...), of which only shape, dtype and device matter.
        rate: The probability of zero, in [0, 1).
        examples: (n,) integers, the examples' numbers in the data set.
        seed: The training's seed.
        epoch: The epoch's number.
        position: The layer's index in its network.

    Returns:
        The mask, with shape and dtype of x.

    Raises:
        RangeError: `rate` is outside its range.
        ShapeError: `examples` doesn't name each example of x.
    """
    check_in("rate", rate, 0, 1)
    if examples is None or examples.shape != x.shape[:1]:
        came = None if examples is None else tuple(examples.shape)
        raise ShapeError(f"examples must have shape ({x.shape[0]},), a number for each example of x, got {came}")
    xp = array_module(x)
    elements = prod(x.shape[1:])
    blocks = -(-elements // 4)
    block = xp.arange(blocks, dtype=xp.uint32)
    words = philox4x32((xp.asarray(examples)[:, None], epoch, block, 2 + position), seed_key(seed))
    word = xp.stack(words, axis=-1).reshape(x.shape[0], 4 * blocks)[:, :elements]
    threshold = xp.uint32(min(round(rate * 2**32), 2**32 - 1))
    return ((word >= threshold) * x.dtype.type(1 / (1 - rate))).reshape(x.shape)
