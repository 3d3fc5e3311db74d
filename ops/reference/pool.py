"""Pooling as loops over windows."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ops.geometry import IntOrPair, pair


@dataclass(frozen=True)
class Window:
    """One place of the window: its number (p, q), the input's pixels in it, and how many numbers it covers.

    `covered` counts the padding, but not what hangs over the padded edge in ceil_mode.
    """

    at: tuple[int, int]
    pixels: list[tuple[int, int]]
    covered: int


def max_pool2d(
    x: np.ndarray,
    size: IntOrPair,
    *,
    stride: IntOrPair | None = None,
    padding: IntOrPair = 0,
    ceil_mode: bool = False,
) -> tuple[np.ndarray, np.ndarray]:
    """See `ops.pool.max_pool2d`; here argmax (n, c, p, q, 2) holds the pixel each maximum came from."""
    x_nchw = np.asarray(x, float)
    windows = list(_windows(x_nchw.shape, size, stride, padding, ceil_mode))
    places = windows[-1].at[0] + 1, windows[-1].at[1] + 1
    y_ncpq = np.zeros((*x_nchw.shape[:2], *places))
    argmax = np.zeros((*y_ncpq.shape, 2), int)
    for n, c in np.ndindex(x_nchw.shape[:2]):
        for window in windows:
            best = window.pixels[0]
            for pixel in window.pixels[1:]:
                if x_nchw[n, c][pixel] > x_nchw[n, c][best]:
                    best = pixel
            y_ncpq[n, c][window.at] = x_nchw[n, c][best]
            argmax[n, c][window.at] = best
    return y_ncpq, argmax


def max_pool2d_grad(dy: np.ndarray, argmax: np.ndarray, x_shape: tuple[int, ...]) -> np.ndarray:
    """See `ops.pool.max_pool2d_grad`; argmax is that of this module's `max_pool2d`."""
    dx_nchw = np.zeros(x_shape)
    for n, c, p, q in np.ndindex(dy.shape):
        h, w = argmax[n, c, p, q]
        dx_nchw[n, c, h, w] += dy[n, c, p, q]
    return dx_nchw


def avg_pool2d(
    x: np.ndarray,
    size: IntOrPair,
    *,
    stride: IntOrPair | None = None,
    padding: IntOrPair = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
) -> np.ndarray:
    """See `ops.pool.avg_pool2d`."""
    x_nchw = np.asarray(x, float)
    windows = list(_windows(x_nchw.shape, size, stride, padding, ceil_mode))
    places = windows[-1].at[0] + 1, windows[-1].at[1] + 1
    y_ncpq = np.zeros((*x_nchw.shape[:2], *places))
    for n, c in np.ndindex(x_nchw.shape[:2]):
        for window in windows:
            total = sum(x_nchw[n, c][pixel] for pixel in window.pixels)
            y_ncpq[n, c][window.at] = total / (window.covered if count_include_pad else len(window.pixels))
    return y_ncpq


def avg_pool2d_grad(
    dy: np.ndarray,
    x_shape: tuple[int, ...],
    size: IntOrPair,
    *,
    stride: IntOrPair | None = None,
    padding: IntOrPair = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
) -> np.ndarray:
    """See `ops.pool.avg_pool2d_grad`."""
    dx_nchw = np.zeros(x_shape)
    for n, c in np.ndindex(*x_shape[:2]):
        for window in _windows(x_shape, size, stride, padding, ceil_mode):
            share = dy[n, c][window.at] / (window.covered if count_include_pad else len(window.pixels))
            for pixel in window.pixels:
                dx_nchw[n, c][pixel] += share
    return dx_nchw


def adaptive_avg_pool2d(x: np.ndarray, size: IntOrPair) -> np.ndarray:
    """See `ops.adaptive_pool.adaptive_avg_pool2d`."""
    x_nchw = np.asarray(x, float)
    y_ncpq = np.zeros((*x_nchw.shape[:2], *pair("size", size)))
    for n, c, p, q in np.ndindex(y_ncpq.shape):
        pixels = _adaptive_window(x_nchw.shape, y_ncpq.shape, p, q)
        y_ncpq[n, c, p, q] = sum(x_nchw[n, c][pixel] for pixel in pixels) / len(pixels)
    return y_ncpq


def adaptive_avg_pool2d_grad(dy: np.ndarray, x_shape: tuple[int, ...]) -> np.ndarray:
    """See `ops.adaptive_pool.adaptive_avg_pool2d_grad`."""
    dx_nchw = np.zeros(x_shape)
    for n, c, p, q in np.ndindex(dy.shape):
        pixels = _adaptive_window(x_shape, dy.shape, p, q)
        for pixel in pixels:
            dx_nchw[n, c][pixel] += dy[n, c, p, q] / len(pixels)
    return dx_nchw


def _adaptive_window(x_shape: tuple[int, ...], y_shape: tuple[int, ...], p: int, q: int) -> list[tuple[int, int]]:
    """The pixels that touch the share of the plane that belongs to place (p, q), if all places share it evenly."""
    (height, width), (rows, columns) = x_shape[2:], y_shape[2:]
    return [
        (h, w)
        for h in range(height)
        for w in range(width)
        if h * rows < (p + 1) * height
        and (h + 1) * rows > p * height
        and w * columns < (q + 1) * width
        and (w + 1) * columns > q * width
    ]


def _windows(
    x_shape: tuple[int, ...], size: IntOrPair, stride: IntOrPair | None, padding: IntOrPair, ceil_mode: bool
) -> Iterator[Window]:
    height, width = x_shape[2:]
    r, s = pair("size", size)
    down, right = pair("stride", size if stride is None else stride)
    above, left = pair("padding", padding)
    for p, top in enumerate(_starts(height, r, down, above, ceil_mode)):
        for q, start in enumerate(_starts(width, s, right, left, ceil_mode)):
            rows, columns = range(top, top + r), range(start, start + s)
            pixels = [(h, w) for h in rows for w in columns if 0 <= h < height and 0 <= w < width]
            covered = sum(h < height + above and w < width + left for h in rows for w in columns)
            yield Window((p, q), pixels, covered)


def _starts(n: int, window: int, stride: int, padding: int, ceil_mode: bool) -> list[int]:
    """Where windows begin on a line of n numbers.

    Each must end on the padded line, but with ceil_mode one more may hang over its far end by less than a stride; it
    must begin on the line or its near padding.
    """
    starts = list(range(-padding, n + padding - window + 1, stride))
    following = -padding + len(starts) * stride
    hanging = following + window - (n + padding)
    if ceil_mode and hanging < stride and following < n:
        starts.append(following)
    return starts
