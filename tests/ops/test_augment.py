"""Flips and shifts: the draw, and what it does to an image."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ops import augment
from ops.random import philox4x32, seed_key
from tests.arrays import host


def by_loops(x, flip, dy, dx):
    """The specification pixel by pixel."""
    out = np.zeros_like(x)
    n, c, h, w = x.shape
    for e, k, i, j in np.ndindex(n, c, h, w):
        row, column = i - dy[e], j - dx[e]
        if 0 <= row < h and 0 <= column < w:
            out[e, k, i, j] = x[e, k, row, w - 1 - column if flip[e] else column]
    return out


@given(
    shape=st.tuples(st.integers(1, 4), st.integers(1, 2), st.integers(1, 7), st.integers(1, 7)), shift=st.integers(0, 9)
)
@settings(max_examples=30)
def test_images_are_mirrored_then_moved(xp, shape, shift):
    x = np.random.default_rng(1).integers(1, 256, shape, dtype=np.uint8)
    x = np.concatenate([x, x, x])  # with 3 to 12 examples some are mirrored and some are not
    drawn = augment.draw(xp.arange(len(x)), flip=True, shift=shift, seed=0, epoch=1)
    moved = augment.apply(xp.asarray(x), drawn)
    assert moved.dtype == np.uint8
    np.testing.assert_array_equal(host(moved), by_loops(x, host(drawn.flip), host(drawn.dy), host(drawn.dx)))


def test_the_draw_is_what_is_promised(xp):
    examples = np.array([0, 5, 59_999], np.int32)
    drawn = augment.draw(xp.asarray(examples), flip=True, shift=2, seed=2**33 + 1, epoch=4)
    for row, example in enumerate(examples):
        counter = tuple(np.asarray(c) for c in (example, 4, 0, 1))
        word0, word1, word2, _ = (int(word) for word in philox4x32(counter, seed_key(2**33 + 1)))
        assert bool(drawn.flip[row]) == word0 % 2
        assert int(drawn.dy[row]) == word1 % 5 - 2
        assert int(drawn.dx[row]) == word2 % 5 - 2


def test_without_a_flip_nothing_is_mirrored_and_without_a_shift_nothing_moves(xp):
    drawn = augment.draw(xp.arange(100), flip=False, shift=0, seed=0, epoch=0)
    assert not host(drawn.flip).any()
    assert not host(drawn.dy).any()
    assert not host(drawn.dx).any()


@pytest.mark.parametrize("shift", [1, 3])
def test_every_shift_and_both_sides_come_up(xp, shift):
    drawn = augment.draw(xp.arange(2000), flip=True, shift=shift, seed=0, epoch=0)
    for steps in (drawn.dy, drawn.dx):
        assert set(host(steps).tolist()) == set(range(-shift, shift + 1))
    assert 0.44 < host(drawn.flip).mean() < 0.56  # 2,000 coins: five standard deviations
