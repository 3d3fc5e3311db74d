"""Arrays that may be larger than memory: they lie in a file without a name where they are large."""

import os
import tempfile
from math import prod
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

IN_MEMORY = 256 << 20
"""Bytes up to which an array lies in memory."""

BLOCK = 64 << 20
"""Bytes that are copied at a time."""


def allocate(shape: tuple[int, ...], folder: Path) -> NDArray[np.uint8]:
    """An array of bytes to be filled. The file of a large one has no name, and is gone when nobody uses it.

    Raises OSError where the disk has no room for it.
    """
    size = prod(shape)
    if size <= IN_MEMORY:
        return np.empty(shape, np.uint8)
    with tempfile.TemporaryFile(dir=folder) as file:
        os.posix_fallocate(file.fileno(), 0, size)  # a full disk is an error here, and would be a signal later
        return np.memmap(file, np.uint8, "r+", shape=shape)


def take(array: NDArray[np.uint8], indices: NDArray[np.int64], folder: Path) -> NDArray[np.uint8]:
    """`array[indices]` along the first axis, in bounded memory."""
    taken = allocate((len(indices), *array.shape[1:]), folder)
    rows = max(1, BLOCK // max(1, prod(array.shape[1:])))
    for start in range(0, len(indices), rows):
        taken[start : start + rows] = array[indices[start : start + rows]]
    return taken
