"""Picture files of any kind as examples, prepared all in the same way."""

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from service.data.buffers import allocate, drop_pages, take
from service.data.decoding import decode
from service.data.formats.base import SAY_EVERY_S, Examples, Reading
from service.data.labels import name_classes
from service.data.preparation import NEAR, PLAIN_SHARE, Preparation, border, prepare
from service.errors import DataError, InvalidInput

SAMPLE = 200
"""Pictures that are looked at first, to find out about colour and background."""

PICTURES = 256
"""Pictures that stay in memory, where all of them would be too large for it."""

TOO_MANY_BAD = 50
"""After so many bad pictures more than are allowed, the rest isn't looked at."""

Label = str | int


@dataclass(frozen=True)
class Picture:
    """A picture that has not been read yet. name: as people find it."""

    name: str
    label: Label
    read: Callable[[], bytes]


@dataclass(frozen=True)
class Pictures:
    """The pictures of a split.

    Attributes:
        count: how many there are.
        each: goes through all of them.
        sample: goes through some of them, of all classes if possible.
    """

    count: int
    each: Callable[[], Iterable[Picture]]
    sample: Callable[[], Iterable[Picture]]


class _FoundColour(Exception):
    """A picture in colour among those that were taken for grey."""


def read_pictures(
    train: Pictures, test: Pictures | None, reading: Reading, class_names: tuple[str, ...] = ()
) -> Examples:
    """Pictures as examples.

    Args:
        train: to train on.
        test: to test with, if there are any.
        reading: how, and whom to tell.
        class_names: of labels that are numbers.

    Raises:
        DataError: they are of several sizes and none is chosen, or too many can't be read.
    """
    if reading.options.transpose:
        raise DataError("--transpose is for images that are stored as numbers: pictures are upright as they are")
    preparation = _survey(train, reading)
    try:
        return _Reader(preparation, reading).read(train, test, class_names)
    except _FoundColour:
        in_colour = Preparation("rgb", _fit("rgb", reading), preparation.background, match_background=False)
        return _Reader(in_colour, reading).read(train, test, class_names)


def _survey(pictures: Pictures, reading: Reading) -> Preparation:
    """What a sample of the pictures suggests. Transparent ones lie on white, as everywhere."""
    looked_at = list(_looked_at(pictures.sample(), reading))
    in_colour = any(is_colour for is_colour, _ in looked_at)
    mode = ("rgb" if in_colour else "grey") if reading.options.mode == "auto" else reading.options.mode
    levels = [level for _, level in looked_at]
    background = 255 if levels and np.median(levels) > 127 else 0
    near = np.mean([abs(level - background) <= NEAR for level in levels]) if levels else 0.0
    plain = mode == "grey" and bool(near >= PLAIN_SHARE)
    return Preparation(mode, _fit(mode, reading), background, plain)


def _looked_at(pictures: Iterable[Picture], reading: Reading) -> Iterator[tuple[bool, float]]:
    """Whether each picture has colour, and how bright its border is; one picture is in memory at a time."""
    for picture in pictures:
        try:
            pixels, alpha = decode(picture.read(), reading.options.mode)
        except (InvalidInput, OSError):
            continue  # it is told when all are read
        yield pixels.ndim == 3, 255.0 if alpha is not None else float(np.median(border(pixels)))


def _fit(mode: str, reading: Reading) -> Literal["crop", "pad", "stretch"]:
    if reading.options.fit != "auto":
        return reading.options.fit
    return "crop" if mode == "rgb" else "pad"


class _Reader:
    """Reads the splits of one source, one after the other."""

    def __init__(self, preparation: Preparation, reading: Reading) -> None:
        self._preparation = preparation
        self._reading = reading
        size = reading.options.size
        self._shape = (size, size) if size else None
        self._first = ""
        self._bad: list[str] = []

    def read(self, train: Pictures, test: Pictures | None, class_names: tuple[str, ...]) -> Examples:
        images, labels = self._split(train, "training")
        test_images, test_labels = self._split(test, "test") if test else (None, None)
        if len(self._bad) > self._reading.options.skip_bad:
            raise self._too_many_bad("")
        classes, test_classes, names = name_classes(labels, test_labels, class_names)
        tested = None if test_images is None or test_classes is None else (test_images, test_classes)
        return Examples((images, classes), tested, names, self._preparation, len(self._bad))

    def _split(self, pictures: Pictures, what: str) -> tuple[NDArray[np.uint8], NDArray[np.generic]]:
        images: NDArray[np.uint8] | None = None
        labels: list[Label] = []
        told = time.monotonic()
        for number, picture in enumerate(pictures.each()):
            example = self._example(picture)
            if time.monotonic() > told + SAY_EVERY_S:
                told = time.monotonic()
                self._reading.say(f"read {number:,} of {pictures.count:,} {what} pictures")
            if example is None:
                continue
            if images is None:
                images = allocate((pictures.count, *example.shape), self._reading.scratch)
            images[len(labels)] = example
            labels.append(picture.label)
            if len(labels) % PICTURES == 0:
                drop_pages(images, slice(len(labels) - PICTURES, len(labels)))
        if images is None:
            raise self._too_many_bad(f": there is no {what} picture left")
        if len(labels) < len(images):
            images = take(images, np.arange(len(labels)), self._reading.scratch)
        return images, np.array(labels)

    def _example(self, picture: Picture) -> NDArray[np.uint8] | None:
        """A picture as an example; None where it can't be read."""
        mode = self._reading.options.mode if self._preparation.mode == "grey" else "rgb"
        try:
            pixels, alpha = decode(picture.read(), mode)
        except (InvalidInput, OSError) as error:
            self._skip(picture, str(error) if isinstance(error, InvalidInput) else error.strerror or str(error))
            return None
        if pixels.ndim == 3 and self._preparation.mode == "grey":
            raise _FoundColour
        size = pixels.shape[:2]
        if self._shape is None:
            self._shape, self._first = size, picture.name
        if not self._reading.options.size and size != self._shape:
            raise DataError(
                f"pictures are of several sizes: {self._first} has {self._shape[1]}x{self._shape[0]} pixels, "
                f"{picture.name} {size[1]}x{size[0]}; choose one with --size"
            )
        return prepare(pixels, alpha, self._shape, self._preparation, invert=False)

    def _skip(self, picture: Picture, reason: str) -> None:
        self._bad.append(picture.name)
        self._reading.say(f"{picture.name} can't be read: {reason}")
        if len(self._bad) > self._reading.options.skip_bad + TOO_MANY_BAD:
            raise self._too_many_bad(", and the rest was not looked at")

    def _too_many_bad(self, more: str) -> DataError:
        if not self._bad:
            return DataError(f"there are no pictures{more}")
        many = "a picture" if len(self._bad) == 1 else f"{len(self._bad)} pictures"
        names = ", ".join(self._bad[:3]) + (", …" if len(self._bad) > 3 else "")
        return DataError(f"{many} can't be read ({names}){more}; --skip-bad {len(self._bad)} would leave out so many")
