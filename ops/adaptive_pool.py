"""Average pooling to a plane of any size, and its gradient.

Of the n numbers of an axis, place i of p takes those from floor(i n / p) up to ceil((i + 1) n / p), as in PyTorch. So
every number lies in a window, neighbouring windows may share some, and there may be more places than numbers. A
window's sum is taken row by row first, then column by column.
"""

from collections.abc import Sequence

import numpy as np

from ops.arrays import Array, array_module
from ops.checks import check_filled, check_floats, check_shape
from ops.errors import ShapeError
from ops.geometry import IntOrPair, pair

Span = tuple[int, int]
"""The numbers of an axis that a window takes: the first, and the first behind it."""


def adaptive_avg_pool2d(x: Array, size: IntOrPair) -> Array:
    """The mean of each of `size` windows that cover the planes of `x` (n, c, h, w): y (n, c, *size).

    Args:
        x: (n, c, h, w), float32 or float64.
        size: Rows and columns of the output, an int or a (vertical, horizontal) pair.
    """
    check_floats("x", x, ("n", "c", "h", "w"))
    check_filled("x", x)
    rows, columns = spans(x.shape, size)
    xp = array_module(x)
    sums = xp.empty((*x.shape[:2], len(rows), x.shape[3]), x.dtype)
    for p, (first, stop) in enumerate(rows):
        sums[:, :, p] = x[:, :, first]
        for h in range(first + 1, stop):
            sums[:, :, p] += x[:, :, h]
    y = xp.empty((*sums.shape[:3], len(columns)), x.dtype)
    for q, (first, stop) in enumerate(columns):
        y[..., q] = sums[..., first]
        for w in range(first + 1, stop):
            y[..., q] += sums[..., w]
    y /= _counts(x, rows, columns)
    return y


def adaptive_avg_pool2d_grad(dy: Array, x_shape: tuple[int, ...], size: IntOrPair) -> Array:
    """The gradient of `adaptive_avg_pool2d` for an x of shape `x_shape`: each dy is shared out over its window."""
    check_floats("dy", dy, ("n", "c", "p", "q"))
    if len(x_shape) != 4:
        raise ShapeError(f"x_shape must be (n, c, h, w), got {tuple(x_shape)}")
    rows, columns = spans(x_shape, size)
    check_shape("dy", dy, (*x_shape[:2], len(rows), len(columns)))
    xp = array_module(dy)
    share = dy / _counts(dy, rows, columns)
    across = xp.zeros((*dy.shape[:3], x_shape[3]), dy.dtype)
    for q, (first, stop) in enumerate(columns):
        across[..., first:stop] += share[..., q : q + 1]
    dx = xp.zeros(x_shape, dy.dtype)
    for p, (first, stop) in enumerate(rows):
        dx[:, :, first:stop] += across[:, :, p : p + 1]
    return dx


def spans(x_shape: Sequence[int], size: IntOrPair) -> tuple[list[Span], list[Span]]:
    """The rows, and the columns, of each window on planes (…, h, w)."""
    down, across = (
        [(i * n // p, -(-(i + 1) * n // p)) for i in range(p)]
        for n, p in zip(x_shape[-2:], pair("size", size, least=1), strict=True)
    )
    return down, across


def _counts(like: Array, rows: list[Span], columns: list[Span]) -> Array:
    """(p, q): how many numbers each window's mean is taken over."""
    counts = np.outer(*(np.diff(axis)[:, 0] for axis in (rows, columns)))
    return array_module(like).asarray(counts.astype(like.dtype))
