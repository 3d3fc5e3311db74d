"""A test split for a source without one, and what train and test have in common."""

from hashlib import blake2b
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from service.data.buffers import blocks, take
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
    """How many test images are training images too, to the bit (by the first 64 bits of their BLAKE2 digests)."""
    tested, counts = np.unique(np.concatenate([_digests(test[block]) for block in blocks(test)]), return_counts=True)
    seen = np.zeros(len(tested), bool)
    for block in blocks(train):
        digests = _digests(train[block])
        places = np.minimum(np.searchsorted(tested, digests), len(tested) - 1)
        seen[places[tested[places] == digests]] = True
    return int(counts[seen].sum())


def _digests(images: NDArray[np.uint8]) -> NDArray[np.uint64]:
    rows = np.ascontiguousarray(images).reshape(len(images), -1)
    return np.frombuffer(b"".join(blake2b(row.data, digest_size=8).digest() for row in rows), np.uint64)
