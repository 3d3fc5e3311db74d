"""A test split for a source without one, and what train and test have in common."""

from hashlib import blake2b
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from service.data.buffers import take
from service.data.formats.base import Arrays
from service.data.holdout import draw_from_classes


def stratified(labels: NDArray[np.uint8], share: float, seed: int) -> NDArray[np.bool_]:
    """Which examples (N,) are for the test: the same share of each class, drawn by seed.

    A class of two or more has one at least on either side; the only example of a class is trained on.
    """
    classes, sizes = np.unique(labels, return_counts=True)
    counts = {
        label: min(max(round(share * size), 1), size - 1)
        for label, size in zip(classes.tolist(), sizes.tolist(), strict=True)
    }
    chosen = np.zeros(len(labels), bool)
    chosen[draw_from_classes(labels, counts, seed, "test split")] = True
    return chosen


def split(examples: Arrays, share: float, seed: int, folder: Path) -> tuple[Arrays, Arrays]:
    """The examples for training and for the test, each in the order that they had. folder: for large arrays."""
    images, labels = examples
    chosen = stratified(labels, share, seed)
    train, test = np.flatnonzero(~chosen), np.flatnonzero(chosen)
    return (take(images, train, folder), labels[train]), (take(images, test, folder), labels[test])


def count_duplicates(train: NDArray[np.uint8], test: NDArray[np.uint8]) -> int:
    """How many test images are training images too, to the bit."""
    seen = {_digest(image) for image in train}
    return sum(_digest(image) in seen for image in test)


def _digest(image: NDArray[np.uint8]) -> bytes:
    return blake2b(np.ascontiguousarray(image).data, digest_size=16).digest()
