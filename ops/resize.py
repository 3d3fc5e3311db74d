"""Images of another size by bilinear interpolation, and its gradient."""

import numpy as np

from ops.arrays import Array, array_module
from ops.checks import check_filled, check_floats, check_shape
from ops.geometry import IntOrPair, Pair, pair


def resize2d(x: Array, size: IntOrPair) -> Array:
    """`x` (n, c, h, w) resized to `size`, an int or (height, width): y (n, c, *size).

    Pixels are squares with their centres at halves and the edge pixels reach outwards, as in
    PyTorch's `interpolate(mode="bilinear", align_corners=False)`; nothing is smoothed when shrinking.
    Raises ShapeError, DtypeError or GeometryError where the arguments can't be.
    """
    rows, columns = _weights(x, size)
    return rows @ (x @ columns.T)


def resize2d_grad(dy: Array, x_shape: tuple[int, ...], size: IntOrPair) -> Array:
    """The gradient of `resize2d` for an x of shape `x_shape`: dx, from `dy` (n, c, *size)."""
    check_floats("dy", dy, ("n", "c", "p", "q"))
    height, width = pair("size", size, least=1)
    check_shape("dy", dy, (*x_shape[:2], height, width))
    xp = array_module(dy)
    rows, columns = (
        xp.asarray(_interpolation(old, new).astype(dy.dtype))
        for old, new in zip(x_shape[2:], (height, width), strict=True)
    )
    return rows.T @ (dy @ columns)


def _weights(x: Array, size: IntOrPair) -> tuple[Array, Array]:
    check_floats("x", x, ("n", "c", "h", "w"))
    check_filled("x", x)
    xp = array_module(x)
    new: Pair = pair("size", size, least=1)
    rows, columns = (
        xp.asarray(_interpolation(before, after).astype(x.dtype))
        for before, after in zip(x.shape[2:], new, strict=True)
    )
    return rows, columns


def _interpolation(old: int, new: int) -> np.ndarray:
    """The matrix (new, old) that interpolates a line of `old` pixels at the centres of `new` ones."""
    centre = np.maximum((np.arange(new) + 0.5) * (old / new) - 0.5, 0)
    near = np.minimum(centre.astype(int), old - 1)
    far = np.minimum(near + 1, old - 1)
    share = centre - near
    matrix = np.zeros((new, old))
    line = np.arange(new)
    matrix[line, near] += 1 - share
    matrix[line, far] += share
    return matrix
