"""Random flips and shifts of images, drawn by example and epoch, never by position in a batch.

Every engine makes the same draw, so this is its specification. For one example

    word0, word1, word2, _ = philox4x32(counter=(example, epoch, 0, 1), key=(seed's low 32 bits, high 32 bits))
    flip = word0 & 1                                (if the steps flip, else 0)
    dy   = word1 % (2 shift + 1) - shift            rows down
    dx   = word2 % (2 shift + 1) - shift            columns to the right

The image is mirrored first and moved then: y[i, j] = z[i - dy, j - dx], where z is x or its
mirror image z[i, j] = x[i, w - 1 - j], and zeros move in from outside.
"""

from dataclasses import dataclass

from ops.arrays import Array, array_module
from ops.checks import check_axes, check_shape
from ops.errors import GeometryError
from ops.random import philox4x32, seed_key


@dataclass(frozen=True)
class Draw:
    """What happens to each example: flip (n,) bool; dy, dx (n,) int64."""

    flip: Array
    dy: Array
    dx: Array


def draw(examples: Array, *, flip: bool, shift: int, seed: int, epoch: int) -> Draw:
    """The draw of the module's first lines for each of `examples` (n,) integers, on their device.

    Raises GeometryError for a negative shift.
    """
    if shift < 0:
        raise GeometryError(f"shift must be >= 0, got {shift}")
    xp = array_module(examples)
    word0, word1, word2, _ = philox4x32((examples, epoch, 0, 1), seed_key(seed))
    span = 2 * shift + 1
    return Draw(
        flip=(word0 & 1).astype(bool) if flip else xp.zeros(examples.shape, bool),
        dy=(word1 % span).astype(xp.int64) - shift,
        dx=(word2 % span).astype(xp.int64) - shift,
    )


def apply(x: Array, drawn: Draw) -> Array:
    """Each image of `x` (n, c, h, w), of any dtype, flipped and shifted as it was drawn; a new array."""
    check_axes("x", x, ("n", "c", "h", "w"))
    check_shape("flip", drawn.flip, x.shape[:1])
    xp = array_module(x)
    n, c, h, w = x.shape
    row = xp.arange(h) - drawn.dy[:, None]
    column = xp.arange(w) - drawn.dx[:, None]
    inside = ((row >= 0) & (row < h))[:, :, None] & ((column >= 0) & (column < w))[:, None, :]
    column = xp.where(drawn.flip[:, None], w - 1 - column, column)
    example, channel = xp.arange(n)[:, None, None, None], xp.arange(c)[:, None, None]
    row, column = xp.clip(row, 0, h - 1), xp.clip(column, 0, w - 1)
    return x[example, channel, row[:, None, :, None], column[:, None, None, :]] * inside[:, None]
