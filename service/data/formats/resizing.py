"""Images that a source holds as pixels, brought to the size, channels and orientation that the options ask for."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from service.data.buffers import changed
from service.data.formats.base import Arrays, Examples, Reading
from service.data.options import IngestOptions
from service.data.preparation import Preparation, prepare
from service.errors import DataError

GREY = (0.299, 0.587, 0.114)
"""What red, green and blue count for the brightness of a pixel (ITU-R 601)."""


def as_asked(examples: Examples, reading: Reading) -> Examples:
    """The examples as the options ask for them; the same where they ask for nothing."""
    options = reading.options
    if options.skip_bad:
        raise DataError("--skip-bad is for pictures in files of their own: leave it out")
    images = examples.train[0]
    if options.transpose:
        examples = _replaced(examples, lambda x: np.swapaxes(x, -1, -2), reading)
    if options.mode == "grey" and images.ndim == 4:
        examples = _replaced(examples, _to_grey, reading)
    if options.mode == "rgb" and images.ndim == 3:
        examples = _replaced(examples, lambda x: np.repeat(x[:, None], 3, axis=1), reading)
    shape = (options.size, options.size)
    if not options.size or examples.train[0].shape[-2:] == shape:
        return examples
    preparation = preparation_for(examples.train[0], options)
    resized = _replaced(examples, lambda x: _resize(x, shape, preparation), reading)
    return replace(resized, preparation=preparation)


def preparation_for(images: NDArray[np.uint8], options: IngestOptions) -> Preparation:
    """The preparation that images (n, h, w) or (n, 3, h, w) suggest, with what the options say of it."""
    found = Preparation.of_images(images)
    fit = found.fit if options.fit == "auto" else options.fit
    return Preparation(found.mode, fit, found.background, found.match_background)


def _replaced(
    examples: Examples, change: Callable[[NDArray[np.uint8]], NDArray[np.uint8]], reading: Reading
) -> Examples:
    def both(group: Arrays) -> Arrays:
        return changed(group[0], change, reading.scratch), group[1]

    test = None if examples.test is None else both(examples.test)
    return replace(examples, train=both(examples.train), test=test)


def _to_grey(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.rint(np.tensordot(images, np.array(GREY, np.float32), (1, 0))).astype(np.uint8)


def _resize(images: NDArray[np.uint8], shape: tuple[int, int], preparation: Preparation) -> NDArray[np.uint8]:
    resized = np.empty((*images.shape[:-2], *shape), np.uint8)
    for number, image in enumerate(images):
        picture = image if image.ndim == 2 else image.transpose(1, 2, 0)
        resized[number] = prepare(np.ascontiguousarray(picture), None, shape, preparation, invert=False)
    return resized
