"""Windows on padded planes: what convolution and pooling share."""

from collections.abc import Iterator

from ops.arrays import Array, array_module
from ops.geometry import Pair


def pad_planes(x_nchw: Array, padding: Pair, after: Pair = (0, 0), value: float = 0.0) -> Array:
    """`x` with `padding` rows and columns of `value` on each side and `after` more below and to the right."""
    (above, left), (below, right) = padding, after
    if not (above or left or below or right):
        return x_nchw
    n, c, h, w = x_nchw.shape
    shape = (n, c, h + 2 * above + below, w + 2 * left + right)
    padded = array_module(x_nchw).full(shape, value, x_nchw.dtype)
    padded[:, :, above : above + h, left : left + w] = x_nchw
    return padded


def taps(kernel: Pair, stride: Pair, dilation: Pair, places: Pair) -> Iterator[tuple[int, int, tuple[slice, slice]]]:
    """For each element (r, s) of a window: where it falls on a padded plane, over all places at once.

    Yields `(r, s, (rows, columns))`; `plane[rows, columns]` has shape `places`.
    """
    for r in range(kernel[0]):
        top = r * dilation[0]
        rows = slice(top, top + stride[0] * (places[0] - 1) + 1, stride[0])
        for s in range(kernel[1]):
            left = s * dilation[1]
            yield r, s, (rows, slice(left, left + stride[1] * (places[1] - 1) + 1, stride[1]))
