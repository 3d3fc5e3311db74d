"""Picture files as examples, prepared as the training's were."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from service.data.decoding import check_pixels, decode
from service.data.preparation import Preparation, prepare


def read_picture(
    content: bytes, shape: tuple[int, int], preparation: Preparation, invert: bool | None = None
) -> NDArray[np.uint8]:
    """A picture file as an example (h, w), or (3, h, w) in colour.

    invert: whether to exchange dark and bright; None finds out.
    Raises InvalidInput for what is no picture that can be read, or has too many pixels.
    """
    example: NDArray[np.uint8] = read_pictures([content], shape, preparation, invert)[0]
    return example


def read_pictures(
    contents: Sequence[bytes], shape: tuple[int, int], preparation: Preparation, invert: bool | None = None
) -> NDArray[np.uint8]:
    """Picture files as examples (n, h, w), or (n, 3, h, w) in colour.

    Raises InvalidInput; for too many pixels in all, before one is decoded.
    """
    check_pixels(contents)
    return np.stack([prepare(*decode(content, preparation.mode), shape, preparation, invert) for content in contents])
