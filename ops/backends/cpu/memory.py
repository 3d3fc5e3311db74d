"""Memory for arrays that is used again once they are gone.

Large arrays that are fresh from the system cost more than what most operators do with them: every page is cleared
when it is first touched. While an engine takes its steps, the arrays of one step lie where those of the last one lay.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from math import prod
from threading import local

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

LEAST_NUMBERS = 2**16
"""Numbers of an array from which on its memory is kept: the C library keeps smaller pieces by itself."""

ALIGNMENT = 16
"""In floats: a vector's width, or a multiple of it."""

UNUSED = 3
"""References to a block that no array uses: those of the list, of the loop and of the call that counts them."""


class Memory(local):
    """What is kept from one call to the next; each thread has blocks of its own."""

    def __init__(self) -> None:
        self.blocks: list[Floats] = []


class _Blocks(local):
    """What this thread takes memory from, while it does."""

    kept: list[Floats] | None = None


_BLOCKS = _Blocks()


@contextmanager
def reused(kept: Memory | None = None) -> Iterator[None]:
    """Within the block, memory of arrays that `empty` made and that are gone is given to others, in this thread.

    Args:
        kept: Where it lies, to be used again by the next such block; by default it is given back at the end.
    """
    before, _BLOCKS.kept = _BLOCKS.kept, [] if kept is None else kept.blocks
    try:
        yield
    finally:
        _BLOCKS.kept = before


def empty(shape: tuple[int, ...]) -> Floats:
    """An array with any numbers in it, which begins where a vector may be loaded whole."""
    size = prod(shape)
    if _BLOCKS.kept is None or size < LEAST_NUMBERS:
        return _aligned(np.empty(size + ALIGNMENT, np.float32), shape)
    best = None
    for block in _BLOCKS.kept:
        fits = size + ALIGNMENT <= block.size <= 2 * size
        if fits and (best is None or block.size < best.size) and sys.getrefcount(block) == UNUSED:
            best = block
    if best is None:
        best = np.empty(size + ALIGNMENT, np.float32)
        _BLOCKS.kept.append(best)
    return _aligned(best, shape)


def _aligned(block: Floats, shape: tuple[int, ...]) -> Floats:
    start = -(block.ctypes.data // 4) % ALIGNMENT
    return block[start : start + prod(shape)].reshape(shape)
