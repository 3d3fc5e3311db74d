"""What a file format is: two functions, and the examples that come out."""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from service.errors import DataError

Arrays = tuple[NDArray[np.uint8], NDArray[np.uint8]]
"""Images (N, h, w) and labels (N,)."""


@dataclass(frozen=True)
class Examples:
    """What a source holds, in memory.

    Attributes:
        train: images (N, h, w) uint8 and labels (N,) uint8 to train on.
        test: the same, to test with.
        class_names: a name for each label from 0 on.
    """

    train: Arrays
    test: Arrays
    class_names: tuple[str, ...]


class Format(Protocol):
    """A module, or anything else, with these two functions."""

    def recognizes(self, source: Path) -> bool:
        """Whether a file or folder looks like this format. It looks at names and first bytes, and raises nothing."""

    def read(self, source: Path) -> Examples:
        """The examples. Raises DataError, in one line, where the source isn't what it looks like."""


def check_examples(source: Path, examples: Examples) -> Examples:
    """Return the examples if a store can hold them. Raises DataError, with what was expected and what came."""
    for group, (images, labels) in (("training", examples.train), ("test", examples.test)):
        if images.dtype != np.uint8 or images.ndim != 3:
            raise DataError(f"{source}: {group} images must be (N, h, w) uint8, got {images.shape} {images.dtype}")
        if labels.dtype != np.uint8 or labels.shape != images.shape[:1]:
            raise DataError(
                f"{source}: {group} labels must be ({len(images)},) uint8, got {labels.shape} {labels.dtype}"
            )
        if not images.size:
            raise DataError(f"{source} has no {group} images")
        if labels.max() >= len(examples.class_names):
            raise DataError(f"{source}: label {labels.max()} has no name among {len(examples.class_names)} class names")
    (train, _), (test, _) = examples.train, examples.test
    if train.shape[1:] != test.shape[1:]:
        raise DataError(f"{source} has training images of {train.shape[1:]}, but test images of {test.shape[1:]}")
    return examples
