"""Convolution as loops.

Output (p, q) looks at input (p * stride - padding + r * dilation, q * ...) for each element (r, s) of
the filter; what lies outside the input counts as zero.
"""

from collections.abc import Iterator

import numpy as np

from ops.geometry import IntOrPair, Pair, pair


def conv2d(
    x: np.ndarray,
    w: np.ndarray,
    b: np.ndarray | None = None,
    *,
    stride: IntOrPair = 1,
    padding: IntOrPair = 0,
    dilation: IntOrPair = 1,
    groups: int = 1,
) -> np.ndarray:
    """See `ops.conv.conv2d`."""
    x_nchw, w_ocrs = np.asarray(x, float), np.asarray(w, float)
    places = _places(x_nchw, w_ocrs, stride, padding, dilation)
    y_nopq = np.zeros((len(x_nchw), len(w_ocrs), *places))
    for y_at, x_at, w_at in _terms(x_nchw, w_ocrs, places, stride, padding, dilation, groups):
        y_nopq[y_at] += x_nchw[x_at] * w_ocrs[w_at]
    if b is not None:
        for o in range(len(b)):
            y_nopq[:, o] += b[o]
    return y_nopq


def conv2d_grad(
    dy: np.ndarray,
    x: np.ndarray,
    w: np.ndarray,
    *,
    stride: IntOrPair = 1,
    padding: IntOrPair = 0,
    dilation: IntOrPair = 1,
    groups: int = 1,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """See `ops.conv.conv2d_grad`: every product y += x * w gives dx += dy * w and dw += dy * x."""
    dy_nopq, x_nchw, w_ocrs = np.asarray(dy, float), np.asarray(x, float), np.asarray(w, float)
    dx_nchw, dw_ocrs = np.zeros(x_nchw.shape), np.zeros(w_ocrs.shape)
    places = _places(x_nchw, w_ocrs, stride, padding, dilation)
    for y_at, x_at, w_at in _terms(x_nchw, w_ocrs, places, stride, padding, dilation, groups):
        dx_nchw[x_at] += dy_nopq[y_at] * w_ocrs[w_at]
        dw_ocrs[w_at] += dy_nopq[y_at] * x_nchw[x_at]
    db_o = np.zeros(len(w_ocrs))
    for o in range(len(w_ocrs)):
        db_o[o] = dy_nopq[:, o].sum()
    return dx_nchw, dw_ocrs, db_o


Index = tuple[int, int, int, int]


def _terms(
    x_nchw: np.ndarray,
    w_ocrs: np.ndarray,
    places: Pair,
    stride: IntOrPair,
    padding: IntOrPair,
    dilation: IntOrPair,
    groups: int,
) -> Iterator[tuple[Index, Index, Index]]:
    """Every product that a convolution adds up, as the indices `(of y, of x, of w)`."""
    (down, right), (above, left), (tall, wide) = (
        pair("stride", stride),
        pair("padding", padding),
        pair("dilation", dilation),
    )
    examples, _, height, width = x_nchw.shape
    outputs, channels = w_ocrs.shape[:2]
    for n, o, p, q in np.ndindex(examples, outputs, *places):
        group = o // (outputs // groups)
        for c, r, s in np.ndindex(w_ocrs.shape[1:]):
            h = p * down - above + r * tall
            w = q * right - left + s * wide
            if 0 <= h < height and 0 <= w < width:
                yield (n, o, p, q), (n, group * channels + c, h, w), (o, c, r, s)


def _places(x_nchw: np.ndarray, w_ocrs: np.ndarray, stride: IntOrPair, padding: IntOrPair, dilation: IntOrPair) -> Pair:
    """How often the window can be moved on before it leaves the padded input."""
    counts = []
    for axis in (0, 1):
        step, pad, hole = pair("stride", stride)[axis], pair("padding", padding)[axis], pair("dilation", dilation)[axis]
        reach = hole * (w_ocrs.shape[2 + axis] - 1)
        counts.append(len(range(-pad, x_nchw.shape[2 + axis] + pad - reach, step)))
    return counts[0], counts[1]
