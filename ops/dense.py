"""The fully connected operator and its gradient."""

from ops.arrays import Array, array_module
from ops.backends.cpu import memory
from ops.checks import check_filled, check_floats, check_like, check_shape
from ops.errors import ShapeError
from ops.vectors import on_vectors


def dense(x: Array, w: Array, b: Array | None = None) -> Array:
    """y = x wᵀ + b.

    Args:
        x: (n, inputs), float32 or float64.
        w: (units, inputs), of the same dtype.
        b: (units,) or None.

    Returns:
        y (n, units).

    Raises:
        ShapeError, DtypeError: The arguments don't fit together.
    """
    _check(x, w)
    y = x @ w.T
    if b is not None:
        check_like("b", b, "x", x)
        check_shape("b", b, w.shape[:1])
        y += b
    return y


def dense_grad(dy: Array, x: Array, w: Array, *, input_gradient: bool = True) -> tuple[Array | None, Array, Array]:
    """The gradients of `dense`.

    Args:
        dy: (n, units), the gradient of the loss for y.
        x: As given to `dense`.
        w: As given to `dense`.
        input_gradient: Whether dx is wanted.

    Returns:
        `(dx, dw, db)` with the shapes of x, w and b (units,). dx is None without `input_gradient`.
    """
    _check(x, w)
    check_like("dy", dy, "x", x)
    check_shape("dy", dy, (x.shape[0], w.shape[0]))
    dw = array_module(x).matmul(dy.T, x, out=memory.empty(w.shape) if on_vectors(w) else None)
    return dy @ w if input_gradient else None, dw, dy.sum(axis=0)


def _check(x: Array, w: Array) -> None:
    check_floats("x", x, ("n", "inputs"))
    check_floats("w", w, ("units", "inputs"))
    check_like("w", w, "x", x)
    check_filled("x", x)
    if 0 in w.shape:
        raise ShapeError(f"w must not be empty, got shape {tuple(w.shape)}")
    if w.shape[1] != x.shape[1]:
        raise ShapeError(f"w must have {x.shape[1]} columns, one for each input of x, got shape {tuple(w.shape)}")
