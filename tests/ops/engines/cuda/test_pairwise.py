"""A sum in the order of these tables has the bits of NumPy's."""

from itertools import pairwise

import numpy as np
import pytest

from ops.engines.cuda.pairwise import LANES, LEAF, leaves, merges

SIZES = [1, 5, 7, 8, 9, 127, 128, 129, 130, 137, 250, 1001, 2047, 61_706, 100_003]


@pytest.mark.parametrize("size", SIZES)
def test_sums_in_that_order_are_numpys(size):
    numbers = np.random.default_rng(size).normal(size=size) ** 2
    starts = leaves(size)
    sums = [leaf_sum(numbers[first:last].tolist()) for first, last in pairwise(starts)]
    for into, other in merges(size)[1]:
        sums[into] += sums[other]
    assert sums[0] == np.sum(numbers)


def leaf_sum(numbers):
    whole = len(numbers) - len(numbers) % LANES
    lanes = [0.0] * LANES
    for place, number in enumerate(numbers[:whole]):
        lanes[place % LANES] += number
    while len(lanes) > 1:
        lanes = [first + second for first, second in zip(lanes[::2], lanes[1::2], strict=True)]
    for number in numbers[whole:]:
        lanes[0] += number
    return lanes[0]


@pytest.mark.parametrize("size", SIZES)
def test_pairs_of_a_level_do_not_touch_each_other_and_each_leaf_goes_into_the_sum(size):
    levels, pairs = merges(size)
    assert np.diff(leaves(size)).max() <= LEAF
    assert len(pairs) == len(leaves(size)) - 2 == levels[-1]
    assert sorted(pairs[:, 1]) == list(range(1, len(pairs) + 1))
    for first, last in pairwise(levels):
        assert len(np.unique(pairs[first:last])) == 2 * (last - first)
