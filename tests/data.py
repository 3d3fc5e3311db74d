"""Small data sets that can be learned, written by a writer of the tests' own."""

import gzip
import struct
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Arrays = tuple[NDArray[np.uint8], NDArray[np.uint8]]


def blobs(count: int, *, shape: tuple[int, int] = (28, 28), classes: int = 10, seed: int = 0) -> Arrays:
    """Noisy images (count, h, w) with a bright spot whose place tells the class, and their labels (count,)."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, classes, count).astype(np.uint8)
    labels[: min(count, classes)] = np.arange(min(count, classes))
    angle = 2 * np.pi * labels / classes
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    middle = ((shape[0] - 1) / 2, (shape[1] - 1) / 2)
    y = middle[0] * (1 + 0.6 * np.sin(angle))[:, None, None]
    x = middle[1] * (1 + 0.6 * np.cos(angle))[:, None, None]
    width = max(min(shape) / 8, 0.7)
    spot = 180 * np.exp(-((rows - y) ** 2 + (columns - x) ** 2) / (2 * width**2))
    return np.clip(spot + rng.uniform(0, 60, spot.shape), 0, 255).astype(np.uint8), labels


def idx_bytes(array: NDArray[np.uint8]) -> bytes:
    """An array as an IDX file."""
    return struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.tobytes()


def write_idx_dataset(
    folder: Path,
    *,
    train: int = 300,
    test: int = 60,
    shape: tuple[int, int] = (28, 28),
    classes: int = 10,
    seed: int = 0,
    gz: bool = True,
) -> tuple[Arrays, Arrays]:
    """Write the four files of a data set and return what is in them: (images, labels) of train and of test."""
    folder.mkdir(parents=True, exist_ok=True)
    groups = (
        blobs(train, shape=shape, classes=classes, seed=seed),
        blobs(test, shape=shape, classes=classes, seed=seed + 1),
    )
    for prefix, (images, labels) in zip(("train", "t10k"), groups, strict=True):
        for name, array in ((f"{prefix}-images-idx3-ubyte", images), (f"{prefix}-labels-idx1-ubyte", labels)):
            content = idx_bytes(array)
            path = folder / (f"{name}.gz" if gz else name)
            path.write_bytes(gzip.compress(content, 1) if gz else content)
    return groups
