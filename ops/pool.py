"""Max and average pooling and their gradients.

All work tap by tap: for each element (r, s) of the window, one array operation over all places
at once, which needs neither scatter nor atomics and adds in the same order every time.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod

import numpy as np
from numpy.typing import NDArray

from ops.arrays import Array, array_module
from ops.checks import check_filled, check_floats, check_shape
from ops.errors import ShapeError
from ops.geometry import IntOrPair, Pair, pair, pool_output_size
from ops.vectors import on_vectors
from ops.windows import pad_planes, taps

ONES = (1, 1)

MOST_TAPS = 25
"""Numbers of a window up to which there are kernels for it: they are code one after another."""


def max_pool2d(
    x: Array,
    size: IntOrPair,
    *,
    stride: IntOrPair | None = None,
    padding: IntOrPair = 0,
    ceil_mode: bool = False,
) -> tuple[Array, Array]:
    """The largest number of each window of `x` (n, c, h, w); padding counts as minus infinity.

    Args:
        x: (n, c, h, w), float32 or float64.
        size: The window, an int or a (vertical, horizontal) pair.
        stride: Likewise; `size` by default.
        padding: Likewise.
        ceil_mode: Whether a last window that hangs over the far edge counts.

    Returns:
        `(y, argmax)`, both (n, c, p, q). argmax is for `max_pool2d_grad` alone. Of equal numbers the first (row by row)
        is taken; NaN counts as the largest, as in PyTorch.
    """
    window = _window(x, size, stride, padding, ceil_mode)
    xp = array_module(x)
    padded = pad_planes(x, window.padding, window.overhang, -np.inf)
    if window.has_kernels(padded):
        from ops.backends.cpu import max_pool  # it imports LLVM

        return max_pool.max_pool(padded, window.size, window.stride, window.places)
    y = xp.full((*x.shape[:2], *window.places), -np.inf, x.dtype)
    for _, _, (rows, columns) in window.taps():
        xp.maximum(y, padded[:, :, rows, columns], out=y)
    argmax = xp.zeros(y.shape, np.min_scalar_type(prod(window.size) - 1))
    for r, s, (rows, columns) in reversed(list(window.taps())):  # backwards, so that the first of equals stays
        tap = argmax.dtype.type(r * window.size[1] + s)
        xp.copyto(argmax, tap, where=padded[:, :, rows, columns] == y)
    return y, argmax


def max_pool2d_grad(
    dy: Array,
    argmax: Array,
    x_shape: tuple[int, ...],
    size: IntOrPair,
    *,
    stride: IntOrPair | None = None,
    padding: IntOrPair = 0,
    ceil_mode: bool = False,
) -> Array:
    """The gradient of `max_pool2d`: each dy goes to the number that was the largest.

    Args:
        dy: (n, c, p, q), the gradient of the loss for y.
        argmax: What `max_pool2d` returned.
        x_shape: The shape of x; the other arguments are those of `max_pool2d`.

    Returns:
        dx, with the shape of x.
    """
    window = _grad_window(dy, x_shape, size, stride, padding, ceil_mode)
    check_shape("argmax", argmax, dy.shape)
    if window.has_kernels(dy):
        from ops.backends.cpu import max_pool  # it imports LLVM

        plane = window.padded_plane(x_shape)
        dx = max_pool.max_pool_grad(dy, np.ascontiguousarray(argmax), plane, window.size, window.stride)
        return window.inside(dx, x_shape)
    dx = window.blank(dy, x_shape)
    for r, s, (rows, columns) in window.taps():
        dx[:, :, rows, columns] += dy * (argmax == r * window.size[1] + s)
    return window.inside(dx, x_shape)


def avg_pool2d(
    x: Array,
    size: IntOrPair,
    *,
    stride: IntOrPair | None = None,
    padding: IntOrPair = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
) -> Array:
    """The mean of each window of `x` (n, c, h, w): y (n, c, p, q). The other arguments are those of `max_pool2d`.

    Args:
        count_include_pad: Whether the padding's zeros count in the mean. What hangs over the padded edge in ceil_mode
            never does.
    """
    window = _window(x, size, stride, padding, ceil_mode)
    padded = pad_planes(x, window.padding, window.overhang)
    y = array_module(x).zeros((*x.shape[:2], *window.places), x.dtype)
    for _, _, (rows, columns) in window.taps():
        y += padded[:, :, rows, columns]
    y /= window.counts(x, x.shape, count_include_pad)
    return y


def avg_pool2d_grad(
    dy: Array,
    x_shape: tuple[int, ...],
    size: IntOrPair,
    *,
    stride: IntOrPair | None = None,
    padding: IntOrPair = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
) -> Array:
    """The gradient of `avg_pool2d` for an x of shape `x_shape`: each dy is shared out evenly over its window."""
    window = _grad_window(dy, x_shape, size, stride, padding, ceil_mode)
    share = dy / window.counts(dy, x_shape, count_include_pad)
    dx = window.blank(dy, x_shape)
    for _, _, (rows, columns) in window.taps():
        dx[:, :, rows, columns] += share
    return window.inside(dx, x_shape)


def window_counts(
    plane: Pair, size: Pair, stride: Pair, padding: Pair, places: Pair, *, include_pad: bool
) -> NDArray[np.int64]:
    """(p, q): over how many numbers the mean of each window on an (h, w) plane is taken."""
    lengths = []
    for n, k, s, p, count in zip(plane, size, stride, padding, places, strict=True):
        start = np.arange(count) * s - p
        low, high = (-p, n + p) if include_pad else (0, n)
        lengths.append(np.minimum(start + k, high) - np.maximum(start, low))
    return np.outer(*lengths)


@dataclass(frozen=True)
class _Window:
    """The checked geometry of one pooling; `overhang` is how far the last windows reach beyond the padding."""

    size: Pair
    stride: Pair
    padding: Pair
    places: Pair
    overhang: Pair

    def taps(self) -> Iterator[tuple[int, int, tuple[slice, slice]]]:
        """Where each element of the window falls on the padded planes."""
        return taps(self.size, self.stride, ONES, self.places)

    def blank(self, like: Array, x_shape: tuple[int, ...]) -> Array:
        """Zeros for the padded planes of an x of that shape."""
        return array_module(like).zeros((*x_shape[:2], *self.padded_plane(x_shape)), like.dtype)

    def padded_plane(self, x_shape: tuple[int, ...]) -> Pair:
        """Rows and columns of the padded planes of an x of that shape."""
        (top, left), (below, right) = self.padding, self.overhang
        return x_shape[2] + 2 * top + below, x_shape[3] + 2 * left + right

    def has_kernels(self, array: Array) -> bool:
        """Whether the largest numbers of such an array, or gradients for them, are left to kernels."""
        return prod(self.size) <= MOST_TAPS and on_vectors(array)

    def inside(self, padded: Array, x_shape: tuple[int, ...]) -> Array:
        """The planes without their padding."""
        top, left = self.padding
        return padded[:, :, top : top + x_shape[2], left : left + x_shape[3]]

    def counts(self, like: Array, x_shape: tuple[int, ...], include_pad: bool) -> Array:
        """(p, q): how many numbers each window's mean is taken over."""
        plane = (x_shape[2], x_shape[3])
        counts = window_counts(plane, self.size, self.stride, self.padding, self.places, include_pad=include_pad)
        return array_module(like).asarray(counts.astype(like.dtype))


def _window(x: Array, size: IntOrPair, stride: IntOrPair | None, padding: IntOrPair, ceil_mode: bool) -> _Window:
    check_floats("x", x, ("n", "c", "h", "w"))
    check_filled("x", x)
    return _geometry(x.shape, size, stride, padding, ceil_mode)


def _grad_window(
    dy: Array,
    x_shape: tuple[int, ...],
    size: IntOrPair,
    stride: IntOrPair | None,
    padding: IntOrPair,
    ceil_mode: bool,
) -> _Window:
    check_floats("dy", dy, ("n", "c", "p", "q"))
    if len(x_shape) != 4:
        raise ShapeError(f"x_shape must be (n, c, h, w), got {tuple(x_shape)}")
    window = _geometry(x_shape, size, stride, padding, ceil_mode)
    check_shape("dy", dy, (*x_shape[:2], *window.places))
    return window


def _geometry(
    x_shape: tuple[int, ...], size: IntOrPair, stride: IntOrPair | None, padding: IntOrPair, ceil_mode: bool
) -> _Window:
    window = pair("size", size, least=1)
    steps = window if stride is None else pair("stride", stride, least=1)
    pads = pair("padding", padding)
    plane = (x_shape[2], x_shape[3])
    places = pool_output_size(plane, window, steps, pads, ceil_mode)
    reach = [
        max(0, (count - 1) * s + k - n - 2 * p)
        for n, k, s, p, count in zip(plane, window, steps, pads, places, strict=True)
    ]
    return _Window(window, steps, pads, places, (reach[0], reach[1]))
