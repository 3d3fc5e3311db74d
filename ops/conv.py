"""Two-dimensional convolution, which as everywhere in this field is cross-correlation, and its gradient.

The windows of a few examples at a time are laid out as the columns of a matrix, so that a
convolution is a matrix product ("im2col"): with J = c/groups * r * s and M = p * q * examples,

    y (o, M) = w (o, J) @ columns (J, M)
    dw = dy @ columnsᵀ                           dcolumns = wᵀ @ dy

and dx gathers dcolumns back, tap by tap. The examples lie innermost, so that whole rows of windows
are copied and added at once, however narrow the image. Axes: n example, c in-channel, h w input,
o out-channel, r s filter, p q output.

On a CPU, large convolutions of float32 numbers are computed by `ops.backends.cpu`, with no columns and no BLAS.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from types import ModuleType
from typing import Any

import numpy as np

from ops.arrays import Array, array_module
from ops.checks import check_filled, check_floats, check_like, check_shape
from ops.errors import GeometryError, ShapeError
from ops.geometry import IntOrPair, Pair, conv_output_size, count, pair
from ops.windows import taps

CHUNK_BYTES = {"numpy": 3 * 2**18, "cupy": 2**28}
"""How large the matrix of columns may grow: on a CPU it should stay in the cache, with its gradient."""

SMALLEST_FOR_KERNELS = 2**18
"""Products an example from which on a convolution is worth kernels of its own, which take a second to compile."""

FEWEST_FILTERS = 4
"""Filters of a group from which on they fill enough of a vector."""


def conv2d(
    x: Array,
    w: Array,
    b: Array | None = None,
    *,
    stride: IntOrPair = 1,
    padding: IntOrPair = 0,
    dilation: IntOrPair = 1,
    groups: int = 1,
) -> Array:
    """Slide the filters `w` over `x` and add the bias `b`.

    Args:
        x: (n, c, h, w), float32 or float64, on the host or on the GPU.
        w: (o, c / groups, r, s), of the same dtype in the same place.
        b: (o,) or None.
        stride: An int or a (vertical, horizontal) pair.
        padding: Likewise.
        dilation: Likewise.
        groups: How many groups the channels are in.

    Returns:
        y (n, o, p, q) with p = floor((h + 2 padding - dilation (r - 1) - 1) / stride) + 1, and q likewise.

    Raises:
        ShapeError, DtypeError, GeometryError: The arguments don't fit together.

    Source: Dive into Deep Learning, "Convolutional Neural Networks", sections 2 to 4.
    """
    window = _window(x, w, stride, padding, dilation, groups)
    if b is not None:
        check_like("b", b, "x", x)
        check_shape("b", b, w.shape[:1])
    kernels = window.kernels(x, w)
    if kernels is not None:
        y: Array = kernels.convolve(x, w, b, kernels.Window(**window.of_kernels(x)))
        return y
    xp = array_module(x)
    y_nopq = xp.empty((x.shape[0], w.shape[0], *window.places), x.dtype)
    w_goj = w.reshape(groups, w.shape[0] // groups, -1)
    for part, columns_gjm in window.columns(x):
        y_opqn = xp.matmul(w_goj, columns_gjm).reshape(w.shape[0], *window.places, -1)
        y_nopq[part] = y_opqn.transpose(3, 0, 1, 2)
    if b is not None:
        y_nopq += b[:, None, None]
    return y_nopq


def conv2d_grad(
    dy: Array,
    x: Array,
    w: Array,
    *,
    stride: IntOrPair = 1,
    padding: IntOrPair = 0,
    dilation: IntOrPair = 1,
    groups: int = 1,
    input_gradient: bool = True,
    bias_gradient: bool = True,
) -> tuple[Array | None, Array, Array | None]:
    """The gradients of `conv2d`; all other arguments are those of `conv2d`.

    Args:
        dy: (n, o, p, q), the gradient of the loss for y.
        input_gradient: Whether dx is wanted: nobody needs the first layer's.
        bias_gradient: Whether db is wanted.

    Returns:
        `(dx, dw, db)` with the shapes of x, w and b (o,). dx is None without `input_gradient`, db without
        `bias_gradient`.
    """
    window = _window(x, w, stride, padding, dilation, groups)
    check_like("dy", dy, "x", x)
    check_shape("dy", dy, (x.shape[0], w.shape[0], *window.places))
    kernels = window.kernels(x, w)
    if kernels is not None:
        of_kernels = kernels.Window(**window.of_kernels(x))
        dx, dw = kernels.gradients(dy, x, w, of_kernels, wants_input=input_gradient)
        return dx, dw, kernels.bias_gradient(dy) if bias_gradient else None
    xp = array_module(x)
    o = w.shape[0]
    w_goj = w.reshape(groups, o // groups, -1)
    dw_goj = xp.zeros_like(w_goj)
    dx = xp.empty_like(x) if input_gradient else None
    for part, columns_gjm in window.columns(x):
        dy_gom = xp.ascontiguousarray(dy[part].transpose(1, 2, 3, 0)).reshape(groups, o // groups, -1)
        dw_goj += xp.matmul(dy_gom, columns_gjm.swapaxes(1, 2))
        if dx is not None:
            dx[part] = window.gathered(xp.matmul(w_goj.swapaxes(1, 2), dy_gom), x[part])
    return dx, dw_goj.reshape(w.shape), dy.sum(axis=(0, 2, 3)) if bias_gradient else None


@dataclass(frozen=True)
class _Window:
    """The checked geometry of one convolution."""

    kernel: Pair
    stride: Pair
    padding: Pair
    dilation: Pair
    places: Pair
    groups: int

    def kernels(self, x: Array, w: Array) -> ModuleType | None:
        """The kernels that compute this convolution; None where it is left to BLAS."""
        products = w.size * prod(self.places)
        few = w.shape[0] // self.groups < FEWEST_FILTERS
        strided_and_dilated = any(s > 1 and d > 1 for s, d in zip(self.stride, self.dilation, strict=True))
        if not isinstance(x, np.ndarray) or x.dtype != np.float32 or not len(x):
            return None
        if products < SMALLEST_FOR_KERNELS or few or strided_and_dilated:
            return None
        from ops.backends.cpu import convolution  # it imports LLVM

        return convolution if convolution.cpu().lanes else None

    def of_kernels(self, x: Array) -> dict[str, Any]:
        """The arguments of the kernels' window."""
        padded = (x.shape[2] + 2 * self.padding[0], x.shape[3] + 2 * self.padding[1])
        return {
            "kernel": self.kernel,
            "stride": self.stride,
            "dilation": self.dilation,
            "before": self.padding,
            "padded": padded,
            "groups": self.groups,
        }

    def columns(self, x_nchw: Array) -> Iterator[tuple[slice, Array]]:
        """A few examples at a time: their slice, and the matrix (groups, J, M) of their windows.

        All matrices lie in the same memory: each lasts until the next is asked for.
        """
        xp = array_module(x_nchw)
        n, c = x_nchw.shape[:2]
        each = c * prod(self.kernel) * prod(self.places)
        most = min(n, max(1, CHUNK_BYTES[xp.__name__] // (each * x_nchw.dtype.itemsize)))
        room = xp.empty(each * most, x_nchw.dtype)
        for start in range(0, n, most or 1):
            part = slice(start, min(start + most, n))
            padded = self._planes(x_nchw[part])
            padded[self._inside(x_nchw)] = x_nchw[part].transpose(1, 2, 3, 0)
            columns = room[: each * len(x_nchw[part])].reshape(c, *self.kernel, *self.places, -1)
            for r, s, at in self._taps():
                columns[:, r, s] = padded[:, *at]
            yield part, columns.reshape(self.groups, c // self.groups * prod(self.kernel), -1)

    def gathered(self, dcolumns_gjm: Array, x_nchw: Array) -> Array:
        """The gradient for the examples `x` from that for their columns: each pixel's shares in all windows, added."""
        n, c = x_nchw.shape[:2]
        dcolumns = dcolumns_gjm.reshape(c, *self.kernel, *self.places, n)
        dpadded = self._planes(x_nchw)
        for r, s, at in self._taps():
            dpadded[:, *at] += dcolumns[:, r, s]
        return dpadded[self._inside(x_nchw)].transpose(3, 0, 1, 2)

    def _taps(self) -> Iterator[tuple[int, int, tuple[slice, slice]]]:
        return taps(self.kernel, self.stride, self.dilation, self.places)

    def _planes(self, x_nchw: Array) -> Array:
        """Zeros (c, h + 2 padding, w + 2 padding, n) for the examples of x."""
        (top, left), (n, c, h, w) = self.padding, x_nchw.shape
        return array_module(x_nchw).zeros((c, h + 2 * top, w + 2 * left, n), x_nchw.dtype)

    def _inside(self, x_nchw: Array) -> tuple[slice, slice, slice]:
        """Where x lies within its padding."""
        (top, left), (h, w) = self.padding, x_nchw.shape[2:]
        return slice(None), slice(top, top + h), slice(left, left + w)


def _window(x: Array, w: Array, stride: IntOrPair, padding: IntOrPair, dilation: IntOrPair, groups: int) -> _Window:
    check_floats("x", x, ("n", "c", "h", "w"))
    check_floats("w", w, ("o", "c / groups", "r", "s"))
    check_like("w", w, "x", x)
    check_filled("x", x)
    if 0 in w.shape:
        raise ShapeError(f"w must not be empty, got shape {tuple(w.shape)}")
    count("groups", groups)
    c, o = x.shape[1], w.shape[0]
    if c % groups or o % groups:
        raise GeometryError(f"groups must divide the {c} input and {o} output channels, got {groups}")
    if w.shape[1] * groups != c:
        raise ShapeError(
            f"w must have {c // groups} input channels (x has {c}, groups={groups}), got shape {tuple(w.shape)}"
        )
    kernel = (int(w.shape[2]), int(w.shape[3]))
    steps = pair("stride", stride, least=1)
    pads = pair("padding", padding)
    holes = pair("dilation", dilation, least=1)
    places = conv_output_size((x.shape[2], x.shape[3]), kernel, steps, pads, holes)
    return _Window(kernel, steps, pads, holes, places, groups)
