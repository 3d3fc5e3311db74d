"""Activations and their gradients.

Every function takes float32 or float64 arrays of any shape and returns a new array of the same
shape and dtype; the gradients take `dy`, the loss's gradient for y, and `y = f(x)`. Those of GELU and SiLU, which
fall and rise again, take x itself.
"""

from math import pi, sqrt

import numpy as np

from ops.arrays import Array, array_module
from ops.backends.cpu import memory
from ops.checks import FLOATS, check_like, check_shape
from ops.errors import DtypeError, OpsError
from ops.vectors import on_vectors

LARGEST_EXPONENT = {4: 88.0, 8: 709.0}
"""The largest whole x for which exp(x) is finite, by bytes a number."""

GELU_SCALE, GELU_CUBE = sqrt(2 / pi), 0.044715


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
    out = memory.empty(x.shape) if on_vectors(x) else None
    return array_module(x).maximum(x, x.dtype.type(0), out=out)


def relu_grad(dy: Array, y: Array) -> Array:
    """dy where y > 0, else 0."""
    _check_pair(dy, y)
    if on_vectors(dy, y):
        from ops.backends.cpu import elementwise  # it imports LLVM

        return elementwise.relu_grad(dy, y)
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


def gelu(x: Array) -> Array:
    """x times the probability that a standard normal number is below x (Hendrycks and Gimpel, 2016), to about 1e-3.

    It is the paper's approximation, 0.5 x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x³))), PyTorch's `approximate="tanh"`.
    """
    _check(x)
    y = 1 + array_module(x).tanh(_gelu_argument(x))
    y *= x
    y *= x.dtype.type(0.5)
    return y


def gelu_grad(dy: Array, x: Array) -> Array:
    """dy times the slope of `gelu` at x."""
    _check_pair(dy, x)
    t = array_module(x).tanh(_gelu_argument(x))
    inner = x.dtype.type(GELU_SCALE) * (1 + x.dtype.type(3 * GELU_CUBE) * x * x)
    return dy * (x.dtype.type(0.5) * (1 + t + x * (1 - t * t) * inner))


def silu(x: Array) -> Array:
    """x sigmoid(x), also called swish (Elfwing, Uchibe and Doya, 2018)."""
    y = sigmoid(x)
    y *= x
    return y


def silu_grad(dy: Array, x: Array) -> Array:
    """dy s (1 + x (1 - s)), with s = sigmoid(x)."""
    _check_pair(dy, x)
    s = sigmoid(x)
    return dy * (s * (1 + x * (1 - s)))


def _gelu_argument(x: Array) -> Array:
    return x.dtype.type(GELU_SCALE) * (x + x.dtype.type(GELU_CUBE) * x * x * x)


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
