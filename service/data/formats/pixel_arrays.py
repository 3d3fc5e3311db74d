"""Arrays of numbers as images: which axis is what, and what white is. What can't be decided is refused."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.data.buffers import changed
from service.data.formats.base import Reading
from service.errors import DataError


def as_images(what: str, array: NDArray[np.generic], reading: Reading) -> NDArray[np.uint8]:
    """Images (N, h, w) or (N, 3, h, w) uint8.

    Args:
        what: their name in messages.
        array: (N, h, w), (N, h, w, 1 or 3) or (N, 1 or 3, h, w): bytes, other numbers from 0 to 255, or in [0, 1].
        reading: whom to tell what was made of them.

    Raises:
        DataError: for any other array.
    """
    return _bytes(what, _axes(what, array), reading)


def _axes(what: str, array: NDArray[np.generic]) -> NDArray[np.generic]:
    if array.ndim == 3 and array.size:
        return array
    if array.ndim != 4 or not array.size:
        raise DataError(f"{what} must be (N, h, w), (N, h, w, c) or (N, c, h, w), got {array.shape}")
    last, first = array.shape[3] in (1, 3), array.shape[1] in (1, 3)
    if last and first:
        raise DataError(f"{what} of shape {array.shape} may have their channels first or last: that can't be decided")
    if not last and not first:
        raise DataError(f"{what} must have 1 or 3 channels, got {array.shape}")
    planes = np.moveaxis(array, 3, 1) if last else array
    return planes[:, 0] if planes.shape[1] == 1 else planes


def _bytes(what: str, array: NDArray[np.generic], reading: Reading) -> NDArray[np.uint8]:
    if array.dtype == np.uint8:
        contiguous = array.flags.c_contiguous
        return np.asarray(array, np.uint8) if contiguous else changed(array, np.ascontiguousarray, reading.scratch)
    if array.dtype == np.bool_:
        return np.where(array, np.uint8(255), np.uint8(0))
    if array.dtype.kind not in "iuf":
        raise DataError(f"{what} must be numbers, got {array.dtype}")
    low, high = float(array.min()), float(array.max())
    if not (np.isfinite(low) and np.isfinite(high)):
        raise DataError(f"{what} have pixels that are no numbers")
    if array.dtype.kind == "f" and low >= 0 and high <= 1:
        reading.say(f"{what} lie in [0, 1]: each is multiplied by 255")
        return _rounded(array, 255.0)
    if low < 0 or high > 255:
        raise DataError(f"{what} must lie in [0, 255], or in [0, 1] as floats; these reach from {low:g} to {high:g}")
    return _rounded(array, 1.0)


def _rounded(array: NDArray[Any], factor: float) -> NDArray[np.uint8]:
    images = np.empty(array.shape, np.uint8)
    for start in range(0, len(array), 1024):
        images[start : start + 1024] = np.rint(array[start : start + 1024] * factor)
    return images
