"""What a file format is: two functions, and the examples that come out."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from service.data.options import IngestOptions
from service.data.preparation import Preparation
from service.errors import DataError

Arrays = tuple[NDArray[np.uint8], NDArray[np.uint8]]
"""Images (N, h, w), or (N, 3, h, w) in colour, and labels (N,)."""

Say = Callable[[str], None]

SAY_EVERY_S = 2.0
"""Seconds between two lines about how far something is."""


@dataclass(frozen=True)
class Reading:
    """What a format needs to know beside the source.

    Attributes:
        options: How to read it.
        scratch: A folder for what is too large for memory.
        say: Tells people how far it is.
    """

    options: IngestOptions = field(default_factory=IngestOptions)
    scratch: Path = Path()
    say: Say = lambda message: None


@dataclass(frozen=True)
class Examples:
    """What a source holds.

    Attributes:
        train: images (N, h, w) or (N, 3, h, w) uint8 and labels (N,) uint8 to train on.
        test: the same, to test with; None where the source has no such split, and one is to be made.
        class_names: a name for each label from 0 on.
        preparation: how pictures became these images; None where they were pixels already.
        skipped: pictures that couldn't be read, and were left out.
        card: a text about the data, if one lay there.
        licence: its licence, if one lay there.
        format: what people call the format, where the module's docstring doesn't say it.
    """

    train: Arrays
    test: Arrays | None
    class_names: tuple[str, ...]
    preparation: Preparation | None = None
    skipped: int = 0
    card: str = ""
    licence: str = ""
    format: str = ""


class Format(Protocol):
    """A module, or anything else, with these two functions. The first line of its docstring says what it reads."""

    def recognizes(self, source: Path) -> bool:
        """Whether a file or folder looks like this format. It looks at names and first bytes, and raises nothing."""

    def read(self, source: Path, reading: Reading) -> Examples:
        """The examples. Raises DataError, in one line, where the source isn't what it looks like."""


def check_examples(source: Path, examples: Examples) -> Examples:
    """Return the examples if a store can hold them. Raises DataError, with what was expected and what came."""
    groups = {"training": examples.train} | ({} if examples.test is None else {"test": examples.test})
    for group, (images, labels) in groups.items():
        is_colour = images.ndim == 4 and images.shape[1] == 3
        if images.dtype != np.uint8 or not (images.ndim == 3 or is_colour):
            raise DataError(
                f"{source}: {group} images must be (N, h, w) or (N, 3, h, w) uint8, got {images.shape} {images.dtype}"
            )
        if labels.dtype != np.uint8 or labels.shape != images.shape[:1]:
            raise DataError(
                f"{source}: {group} labels must be ({len(images)},) uint8, got {labels.shape} {labels.dtype}"
            )
        if not images.size:
            raise DataError(f"{source} has no {group} images")
        if labels.max() >= len(examples.class_names):
            raise DataError(f"{source}: label {labels.max()} has no name among {len(examples.class_names)} class names")
        if images.shape[1:] != examples.train[0].shape[1:]:
            raise DataError(
                f"{source} has training images of {examples.train[0].shape[1:]}, but test images of {images.shape[1:]}"
            )
    return examples
