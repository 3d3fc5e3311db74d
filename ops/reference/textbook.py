"""The textbook's functions on single images (Dive into Deep Learning, "Convolutional Neural Networks").

They take anything that NumPy makes an array of, and return float64 arrays.
"""

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from ops.errors import OpsError, ShapeError

Image = np.ndarray


def corr2d(x: ArrayLike, k: ArrayLike) -> Image:
    """Cross-correlation of an image (h, w) with a kernel (r, s): (h - r + 1, w - s + 1).

    At each place the kernel lies on a window of the image; the products of what lies on what are summed.
    """
    x_hw, k_rs = _array("x", x, 2), _array("k", k, 2)
    (h, w), (r, s) = x_hw.shape, k_rs.shape
    if r > h or s > w or k_rs.size == 0:
        raise ShapeError(f"k must fit on x {x_hw.shape} and not be empty, got shape {k_rs.shape}")
    y_pq = np.zeros((h - r + 1, w - s + 1))
    for p in range(h - r + 1):
        for q in range(w - s + 1):
            for i in range(r):
                for j in range(s):
                    y_pq[p, q] += x_hw[p + i, q + j] * k_rs[i, j]
    return y_pq


def corr2d_multi_in(x: ArrayLike, k: ArrayLike) -> Image:
    """Several input channels: x (c, h, w), k (c, r, s). Each channel has its own kernel; the results are added."""
    x_chw, k_crs = _array("x", x, 3), _array("k", k, 3)
    if len(x_chw) != len(k_crs) or not len(x_chw):
        raise ShapeError(f"k must have as many channels as x, {len(x_chw)} and at least one, got {len(k_crs)}")
    y_pq = corr2d(x_chw[0], k_crs[0])
    for channel, kernel in zip(x_chw[1:], k_crs[1:], strict=True):
        y_pq = y_pq + corr2d(channel, kernel)
    return y_pq


def corr2d_multi_in_out(x: ArrayLike, k: ArrayLike) -> Image:
    """Several output channels too: x (c, h, w), k (o, c, r, s), a kernel for each pair of channels."""
    k_ocrs = _array("k", k, 4)
    if not len(k_ocrs):
        raise ShapeError(f"k must have at least one output channel, got shape {k_ocrs.shape}")
    return np.stack([corr2d_multi_in(x, kernel) for kernel in k_ocrs])


def corr2d_multi_in_out_1x1(x: ArrayLike, k: ArrayLike) -> Image:
    """The same for kernels of one by one, x (c, h, w), k (o, c, 1, 1): a matrix product at every pixel."""
    x_chw, k_ocrs = _array("x", x, 3), _array("k", k, 4)
    c, h, w = x_chw.shape
    if k_ocrs.shape[1:] != (c, 1, 1):
        raise ShapeError(f"k must have shape (o, {c}, 1, 1), got {k_ocrs.shape}")
    y = k_ocrs.reshape(len(k_ocrs), c) @ x_chw.reshape(c, h * w)
    return y.reshape(len(k_ocrs), h, w)


def pool2d(x: ArrayLike, pool_size: tuple[int, int], mode: Literal["max", "avg"] = "max") -> Image:
    """The largest number, or the mean, of each window of an image (h, w); the window moves by one."""
    if mode not in ("max", "avg"):
        raise OpsError(f"mode must be 'max' or 'avg', got {mode!r}")
    x_hw = _array("x", x, 2)
    (h, w), (r, s) = x_hw.shape, pool_size
    if not 1 <= r <= h or not 1 <= s <= w:
        raise ShapeError(f"pool_size must fit on x {x_hw.shape}, got {pool_size}")
    y_pq = np.zeros((h - r + 1, w - s + 1))
    for p in range(h - r + 1):
        for q in range(w - s + 1):
            window = x_hw[p : p + r, q : q + s]
            y_pq[p, q] = window.max() if mode == "max" else window.mean()
    return y_pq


def _array(name: str, value: ArrayLike, axes: int) -> Image:
    array = np.asarray(value, dtype=np.float64)
    if array.ndim != axes:
        raise ShapeError(f"{name} must have {axes} axes, got {array.ndim}: shape {array.shape}")
    return array
