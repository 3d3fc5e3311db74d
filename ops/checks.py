"""Checks of an operator's arguments, from shape and dtype alone: no value is read, so a GPU is never waited for."""

from collections.abc import Sequence

import numpy as np

from ops.arrays import Array, array_module
from ops.errors import DtypeError, RangeError, ShapeError

FLOATS = (np.dtype(np.float32), np.dtype(np.float64))


def check_floats(name: str, array: Array, axes: Sequence[str]) -> None:
    """An array of float32 or float64 with one axis for each name in `axes`."""
    _check_array(name, array)
    if array.dtype not in FLOATS:
        raise DtypeError(f"{name} must be float32 or float64, got {array.dtype}")
    check_axes(name, array, axes)


def check_like(name: str, array: Array, model_name: str, model: Array) -> None:
    """An array of the dtype and the place (host or GPU) of another that was checked before."""
    _check_array(name, array)
    if array.dtype != model.dtype:
        raise DtypeError(f"{name} must be {model.dtype} like {model_name}, got {array.dtype}")
    if array_module(array) is not array_module(model):
        raise DtypeError(
            f"{name} must be a {array_module(model).__name__} array like {model_name}, "
            f"got a {array_module(array).__name__} array"
        )


def check_axes(name: str, array: Array, axes: Sequence[str]) -> None:
    """As many axes as there are names in `axes`."""
    if array.ndim != len(axes):
        raise ShapeError(
            f"{name} must have {len(axes)} axes ({', '.join(axes)}), got {array.ndim}: shape {tuple(array.shape)}"
        )


def check_shape(name: str, array: Array, shape: Sequence[int]) -> None:
    """Exactly this shape."""
    if tuple(array.shape) != tuple(shape):
        raise ShapeError(f"{name} must have shape {tuple(shape)}, got {tuple(array.shape)}")


def check_filled(name: str, array: Array) -> None:
    """No axis but the first, the batch, may be empty."""
    if 0 in array.shape[1:]:
        raise ShapeError(f"{name} must not be empty in any axis but the batch, got shape {tuple(array.shape)}")


def check_in(name: str, value: float, low: float, high: float) -> None:
    """low <= value < high."""
    if not isinstance(value, int | float) or isinstance(value, bool) or not low <= value < high:
        raise RangeError(f"{name} must be in [{low}, {high}), got {value!r}")


def _check_array(name: str, array: Array) -> None:
    if not (hasattr(array, "dtype") and hasattr(array, "shape") and hasattr(array, "ndim")):
        raise DtypeError(f"{name} must be a NumPy or CuPy array, got {type(array).__name__}")
