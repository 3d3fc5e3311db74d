"""Images as numbers: in JSON, and as tensors. Numbers on another scale than they are said to be are refused."""

from collections.abc import Mapping
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ops.engines.base import Floats
from service.errors import InvalidInput

BYTES = 255.0
"""The scale of pixels where none is given: 0 is black, 255 white."""

MAX_SCALE = 65_535.0

WRONG_SCALE = (
    'pixels are numbers from 0 to 255, and none of these is above 1: multiply them by 255, or send "scale": 1 with them'
)

CLOSE = 1e-6
"""A pixel this close to k / 255 is the byte k, and one this far outside [0, 1] is inside: a few units in the last place
of a float32."""


def parse_pixels(body: Mapping[str, Any], shape: tuple[int, ...], limit: int) -> NDArray[np.uint8]:
    """The images (n, h, w) of a JSON body, or (n, 3, h, w) in colour.

    Args:
        body: `pixels`: one image `[[…], …]` or a list of them, where a pixel in colour is `[red, green, blue]`;
            `scale`: what stands for white, 255 if it isn't given.
        shape: (h, w) of each image, or (h, w, 3) in colour.
        limit: The most images.

    Raises:
        InvalidInput: For anything else, for too many images, and for numbers that look like another scale.
    """
    scale = body.get("scale")
    if scale is not None and not (type(scale) in (int, float) and 0 < scale <= MAX_SCALE):
        raise InvalidInput(f"scale must be the number that stands for white, in (0, {MAX_SCALE:,.0f}]")
    rows = _rows(body.get("pixels"), shape, limit)
    images = _to_bytes(rows, scale or BYTES).reshape(-1, *shape)
    if scale is None:
        _check_scale(images, rows)
    return images if len(shape) == 2 else np.ascontiguousarray(images.transpose(0, 3, 1, 2))


def check_tensor(x_nchw: NDArray[Any]) -> None:
    """Raise InvalidInput for a tensor on another scale than its datatype has: FP32 in [0, 1], UINT8 up to 255."""
    if x_nchw.dtype == np.uint8:
        peaks = x_nchw.reshape(len(x_nchw), -1).max(axis=1)
        if (peaks == 1).any():
            raise InvalidInput("pixels of datatype UINT8 are 0 to 255, and an image here has 0 and 1 only")
    elif not ((x_nchw >= -CLOSE) & (x_nchw <= 1 + CLOSE)).all():
        raise InvalidInput("pixels of datatype FP32 are finite numbers in [0, 1]: divide bytes by 255")


def to_whole_bytes(x_nchw: Floats) -> NDArray[np.uint8] | None:
    """The bytes that pixels divided by 255 were, or None where some were none."""
    bytes_ = np.rint(x_nchw * np.float32(255))
    whole = (bytes_ >= 0) & (bytes_ <= 255) & (np.abs(bytes_ / np.float32(255) - x_nchw) < CLOSE)
    return bytes_.astype(np.uint8) if whole.all() else None


def to_images(x_nchw: NDArray[Any]) -> NDArray[np.uint8]:
    """The nearest bytes of pixels that are bytes already or in [0, 1], as `Predictor.warnings` takes them."""
    images = x_nchw[:, 0] if x_nchw.shape[1] == 1 else x_nchw
    return images if images.dtype == np.uint8 else np.rint(images * BYTES).astype(np.uint8)


def _rows(value: Any, shape: tuple[int, ...], limit: int) -> list[Any]:
    """The rows of all images, each of the right length; in colour the pixels."""
    numbers = "numbers" if len(shape) == 2 else f"pixels of {shape[2]} numbers"
    expected = f"every image must be {shape[0]} rows of {shape[1]} {numbers}"
    images = [value] if _depth(value) == len(shape) else value
    if _depth(images) != len(shape) + 1:
        raise InvalidInput(f"pixels must be rows of numbers for one image, or a list of such images; {expected}")
    if not 1 <= len(images) <= limit:
        raise InvalidInput(f"pixels may hold 1 to {limit} images, got {len(images)}")
    rows = images
    for length in shape[:-1]:
        if not _are_lists_of(length, rows):
            raise InvalidInput(expected)
        rows = list(chain.from_iterable(rows))
    if not _are_lists_of(shape[-1], rows):
        raise InvalidInput(expected)
    return rows


def _are_lists_of(length: int, values: list[Any]) -> bool:
    return set(map(type, values)) == {list} and set(map(len, values)) == {length}


def _to_bytes(rows: list[Any], scale: float) -> NDArray[np.uint8]:
    if scale == BYTES:
        try:
            return np.frombuffer(bytes(chain.from_iterable(rows)), np.uint8)
        except ValueError:
            raise InvalidInput("pixels must be numbers in [0, 255]") from None
        except TypeError:  # not all of them integers
            pass
    numbers = list(chain.from_iterable(rows))
    if not all(type(number) in (int, float) for number in numbers):
        raise InvalidInput(f"pixels must be numbers in [0, {scale:g}]")
    try:
        array = np.array(numbers, np.float64)
    except OverflowError:
        raise InvalidInput(f"pixels must be numbers in [0, {scale:g}]") from None
    if not ((array >= 0) & (array <= scale)).all():
        raise InvalidInput(f"pixels must be numbers in [0, {scale:g}]")
    return np.rint(array * (BYTES / scale)).astype(np.uint8)


def _check_scale(images: NDArray[np.uint8], rows: list[Any]) -> None:
    """Raise InvalidInput where an image has numbers above 0, and none of them above 1."""
    if len(images) == 1 and images.tobytes().lstrip(b"\0\1"):  # the most frequent request, at the least cost
        return
    dim = np.flatnonzero(images.reshape(len(images), -1).max(axis=1) <= 1)
    each = len(rows) // len(images)
    for index in dim:  # hardly ever one
        numbers = list(chain.from_iterable(rows[index * each : (index + 1) * each]))
        if 0 < max(numbers) <= 1:
            raise InvalidInput(WRONG_SCALE)


def _depth(value: Any) -> int:
    depth = 0
    while isinstance(value, list) and depth < 5:
        depth += 1
        value = value[0] if value else None
    return depth
