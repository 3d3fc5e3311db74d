"""Activations and their gradients, each taken from the activation's own result.

Every function takes float32 or float64 arrays of any shape and returns a new array of the same
shape and dtype; the gradients take `dy`, the loss's gradient for y, and `y = f(x)`.
"""

import numpy as np

from ops.arrays import Array, array_module
from ops.checks import FLOATS, check_like, check_shape
from ops.errors import DtypeError, OpsError

LARGEST_EXPONENT = {4: 88.0, 8: 709.0}
"""The largest whole x for which exp(x) is finite, by bytes a number."""


def sigmoid(x: Array) -> Array:
    """1 / (1 + exp(-x)), without overflow for any x."""
    _check(x)
    xp = array_module(x)
    y = xp.asarray(-x)
    xp.minimum(y, x.dtype.type(LARGEST_EXPONENT[x.dtype.itemsize]), out=y)
    xp.exp(y, out=y)
    y += 1
    return xp.reciprocal(y, out=y)


def sigmoid_grad(dy: Array, y: Array) -> Array:
    """dy * y * (1 - y)."""
    _check_pair(dy, y)
    dx = 1 - y
    dx *= y
    dx *= dy
    return dx


def tanh(x: Array) -> Array:
    """(exp(x) - exp(-x)) / (exp(x) + exp(-x))."""
    _check(x)
    return array_module(x).tanh(x)


def tanh_grad(dy: Array, y: Array) -> Array:
    """dy * (1 - y²)."""
    _check_pair(dy, y)
    return dy * (1 - y * y)


def relu(x: Array) -> Array:
    """max(x, 0)."""
    _check(x)
    return array_module(x).maximum(x, x.dtype.type(0))


def relu_grad(dy: Array, y: Array) -> Array:
    """dy where y > 0, else 0."""
    _check_pair(dy, y)
    return dy * (y > 0)


def leaky_relu(x: Array, negative_slope: float = 0.01) -> Array:
    """x where x > 0, else `negative_slope` * x; the slope must be >= 0, so that y keeps the sign of x."""
    _check(x)
    _check_slope(negative_slope)
    return array_module(x).where(x > 0, x, x * x.dtype.type(negative_slope))


def leaky_relu_grad(dy: Array, y: Array, negative_slope: float = 0.01) -> Array:
    """dy where y > 0, else `negative_slope` * dy."""
    _check_pair(dy, y)
    _check_slope(negative_slope)
    return array_module(y).where(y > 0, dy, dy * y.dtype.type(negative_slope))


def _check(x: Array, name: str = "x") -> None:
    if not hasattr(x, "dtype") or not hasattr(x, "shape"):
        raise DtypeError(f"{name} must be a NumPy or CuPy array, got {type(x).__name__}")
    if x.dtype not in FLOATS:
        raise DtypeError(f"{name} must be float32 or float64, got {x.dtype}")


def _check_pair(dy: Array, y: Array) -> None:
    _check(y, "y")
    check_like("dy", dy, "y", y)
    check_shape("dy", dy, y.shape)


def _check_slope(negative_slope: float) -> None:
    if not 0 <= negative_slope < np.inf:
        raise OpsError(f"negative_slope must be a finite number >= 0, got {negative_slope!r}")
