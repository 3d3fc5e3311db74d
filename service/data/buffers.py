"""Arrays that may be larger than memory: they lie in a file without a name where they are large.

Pages of such a file that were touched count as this process's memory until somebody drops them. So whoever goes
through a large array goes block by block, and drops each one: it stays in the file.
"""

import mmap
import os
import tempfile
from collections.abc import Callable, Iterator
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

IN_MEMORY = 256 << 20
"""Bytes up to which an array lies in memory."""

BLOCK = 64 << 20
"""Bytes that are copied at a time."""

FAULT_AROUND = 1 << 16
"""Bytes around a page that Linux maps with it, where the file is in memory: those before it may have been dropped."""


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


def blocks(array: NDArray[Any]) -> Iterator[slice]:
    """The rows of an array, so many at a time that they take `BLOCK` bytes. The pages of each are dropped after it."""
    rows = max(1, BLOCK // max(1, prod(array.shape[1:]) * array.itemsize))
    for start in range(0, len(array), rows):
        block = slice(start, min(start + rows, len(array)))
        yield block
        drop_pages(array, block)


def drop_pages(array: NDArray[Any], rows: slice) -> None:
    """Let go of the memory that some rows of a mapped file take; of any other array nothing happens."""
    mapped: object = array
    while isinstance(mapped, np.ndarray):  # a view of a view leads to the map in the end
        mapped = mapped.base
    if not isinstance(mapped, mmap.mmap) or not array.flags.c_contiguous:
        return
    first = array.ctypes.data - np.frombuffer(mapped, np.uint8).ctypes.data
    row = array.nbytes // max(1, len(array))
    start = max(0, first + rows.start * row - FAULT_AROUND) // mmap.PAGESIZE * mmap.PAGESIZE
    stop = min(first + rows.stop * row, len(mapped))
    if stop > start:
        mapped.madvise(mmap.MADV_DONTNEED, start, stop - start)


def take(array: NDArray[np.uint8], indices: NDArray[np.int64], folder: Path) -> NDArray[np.uint8]:
    """`array[indices]` along the first axis, in bounded memory, where they ascend."""
    taken = allocate((len(indices), *array.shape[1:]), folder)
    for block in blocks(taken):
        chosen = indices[block]
        taken[block] = array[chosen]
        drop_pages(array, slice(int(chosen[0]), int(chosen[-1]) + 1))
    return taken


def changed(
    array: NDArray[Any], change: Callable[[NDArray[Any]], NDArray[np.uint8]], folder: Path
) -> NDArray[np.uint8]:
    """What a function that changes each example by itself makes of an array of them, in bounded memory."""
    result = allocate((len(array), *change(array[:1]).shape[1:]), folder)
    for block in blocks(array):
        result[block] = change(array[block])
        drop_pages(result, block)
    return result
