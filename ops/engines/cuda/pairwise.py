"""The order in which NumPy sums many numbers, so that a device can sum them to the same bits.

NumPy halves a vector until no more than 128 numbers are left (`pairwise_sum` in its sources). Such a leaf is summed in
eight lanes, every eighth number in each; the lanes are added two by two, and then what is left after the last eight.
"""

import numpy as np
from numpy.typing import NDArray

LEAF = 128
LANES = 8


def leaves(size: int) -> NDArray[np.int32]:
    """Where each leaf of a sum of so many numbers begins, and behind them where the last one ends."""
    return np.array([*_leaves(0, size), size], np.int32)


def merges(size: int) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """How the sums of the leaves become one.

    Returns:
        `(levels, pairs)`: pairs (count, 2), leaf numbers, of which the second one's sum is added to the first one's.
        Pairs `levels[i]` to `levels[i + 1] - 1` don't touch each other, and need what those before them made.
    """
    by_height: dict[int, list[tuple[int, int]]] = {}
    number = {int(start): index for index, start in enumerate(leaves(size)[:-1])}

    def height(start: int, count: int) -> int:
        if count <= LEAF:
            return 0
        half = _half(count)
        above = 1 + max(height(start, half), height(start + half, count - half))
        by_height.setdefault(above, []).append((number[start], number[start + half]))
        return above

    height(0, size)
    levels = np.cumsum([0, *(len(by_height[above]) for above in sorted(by_height))]).astype(np.int32)
    pairs = [pair for above in sorted(by_height) for pair in by_height[above]]
    return levels, np.array(pairs, np.int32).reshape(-1, 2)


def _leaves(start: int, count: int) -> list[int]:
    if count <= LEAF:
        return [start]
    half = _half(count)
    return [*_leaves(start, half), *_leaves(start + half, count - half)]


def _half(count: int) -> int:
    return count // 2 - count // 2 % LANES
