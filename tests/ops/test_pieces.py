import numpy as np
import pytest

from ops import pieces as module
from ops.averaging import (
    mean_velocity,
    nesterov_outer_step,
    squared_distance,
    squared_lengths,
    weighted_sum,
)
from ops.pieces import PIECE, pieces, sum_of

SIZES = (0, 1, PIECE - 1, PIECE, PIECE + 1, 2 * PIECE + 9, 5 * PIECE + 12_345)


def vectors(count: int, size: int) -> list[np.ndarray]:
    return list(np.random.default_rng(size).normal(size=(count, size)).astype(np.float32))


@pytest.mark.parametrize("size", SIZES)
def test_pieces_cover_a_vector_once_and_in_order(size):
    covered = [number for piece in pieces(size) for number in (piece.start, piece.stop)]
    assert covered[:1] + covered[-1:] == ([0, size] if size else [])
    assert covered[1:-1:2] == covered[2::2]
    assert all(0 < piece.stop - piece.start <= PIECE for piece in pieces(size))


@pytest.mark.parametrize("size", SIZES)
def test_a_sum_by_pieces_has_the_bits_of_numpys(size):
    numbers = np.random.default_rng(size).normal(size=size) * 1e6
    assert sum_of(size, lambda piece: numbers[piece]) == float(np.sum(numbers))
    if size > PIECE:  # the order matters: another one gives other bits
        assert sum_of(size, lambda piece: numbers[piece]) != float(np.add.accumulate(numbers)[-1])


def test_a_sum_never_sees_more_than_a_piece():
    seen: list[int] = []

    def terms(piece: slice) -> np.ndarray:
        seen.append(piece.stop - piece.start)
        return np.ones(piece.stop - piece.start)

    assert sum_of(7 * PIECE + 3, terms) == 7 * PIECE + 3
    assert sum(seen) == 7 * PIECE + 3
    assert max(seen) <= PIECE


@pytest.mark.parametrize("size", [37, 2 * PIECE + 9])
def test_averages_by_pieces_have_the_bits_of_whole_vectors(size):
    a, b, start, outer = vectors(4, size)
    total = a.astype(np.float64) * 37.0 + b.astype(np.float64) * 91.0
    mean = total / 128
    moved = mean - start.astype(np.float64)
    after = 0.8 * outer.astype(np.float64) + moved
    theta = start.astype(np.float64) + 0.9 * (moved + 0.8 * after)
    distance = a.astype(np.float64) - start
    np.testing.assert_array_equal(weighted_sum([a, b], [37.0, 91.0]), total)
    np.testing.assert_array_equal(mean_velocity(total, 128), mean.astype(np.float32))
    found = nesterov_outer_step(mean, start, outer, lr=0.9, momentum=0.8)
    for one, other in zip(found, (theta, after), strict=True):
        np.testing.assert_array_equal(one, other.astype(np.float32), strict=True)
    assert squared_distance(a, start) == float(np.sum(distance * distance))
    assert squared_lengths(total, 128, start) == (float(np.sum(mean * mean)), float(np.sum(moved * moved)))


def test_the_halves_of_a_sum_are_those_of_the_kernels_on_a_device():
    from ops.engines.cuda import pairwise

    assert module.LANES == pairwise.LANES


def test_a_mean_of_zeros_has_no_sign_but_that_of_the_sum():
    assert not np.signbit(mean_velocity(np.zeros(5), 3)).any()
    assert np.signbit(mean_velocity(np.full(5, -0.0), 3)).all()
