"""Images as they come in JSON, turned into the bytes that a model was trained on."""

from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.errors import InvalidInput


def pixels(value: Any, shape: tuple[int, int], limit: int) -> NDArray[np.uint8]:
    """One image `[[…], …]` or a list of them as (n, h, w) uint8; the numbers are bytes, 0 black and 255 white.

    Raises InvalidInput for anything else, or more than `limit` images.
    """
    images = [value] if _depth(value) == 2 else value
    if _depth(images) != 3:
        raise InvalidInput(f"pixels must be rows of numbers for one image, or a list of such images; {_wanted(shape)}")
    if not 1 <= len(images) <= limit:
        raise InvalidInput(f"pixels may hold 1 to {limit} images, got {len(images)}")
    if not all(isinstance(image, list) and len(image) == shape[0] for image in images):
        raise InvalidInput(_wanted(shape))
    rows = list(chain.from_iterable(images))
    if not all(isinstance(row, list) and len(row) == shape[1] for row in rows):
        raise InvalidInput(_wanted(shape))
    return _bytes(rows).reshape(len(images), *shape)


def _bytes(rows: list[Any]) -> NDArray[np.uint8]:
    try:
        return np.frombuffer(bytes(chain.from_iterable(rows)), np.uint8)
    except ValueError:
        raise InvalidInput("pixels must be numbers in [0, 255]") from None
    except TypeError:  # not all of them integers
        return _rounded(rows)


def _rounded(rows: list[Any]) -> NDArray[np.uint8]:
    numbers = list(chain.from_iterable(rows))
    if not all(type(number) in (int, float) for number in numbers):
        raise InvalidInput("pixels must be numbers in [0, 255]")
    array = np.array(numbers, np.float64)
    if not ((array >= 0) & (array <= 255)).all():
        raise InvalidInput("pixels must be numbers in [0, 255]")
    return np.rint(array).astype(np.uint8)


def _wanted(shape: tuple[int, int]) -> str:
    return f"every image must be {shape[0]} rows of {shape[1]} numbers"


def _depth(value: Any) -> int:
    depth = 0
    while isinstance(value, list) and depth < 4:
        depth += 1
        value = value[0] if value else None
    return depth
