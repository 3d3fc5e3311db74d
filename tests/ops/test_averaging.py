from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ops.averaging import FAN_IN, average, squared_distance, tree_sum, weighted_sum, weighted_velocity_sum
from ops.engines.base import AveragingRule, Replica

SIZE = 37
WEIGHTS = st.lists(st.integers(0, 300), min_size=1, max_size=40).filter(any)


def vectors(count: int, seed: int = 0) -> list[np.ndarray]:
    return list(np.random.default_rng(seed).normal(size=(count, SIZE)).astype(np.float32))


def replicas(count: int) -> list[Replica]:
    return [Replica(*pair) for pair in zip(vectors(count, 1), vectors(count, 2), strict=True)]


@given(weights=WEIGHTS)
def test_average_weights_by_examples(weights):
    parts, (start, outer) = replicas(len(weights)), vectors(2)
    after = average(parts, weights, start, outer, AveragingRule())
    for name in ("theta", "velocity"):
        for place in range(0, SIZE, 9):
            column = [Fraction(float(getattr(part, name)[place])) for part in parts]
            exact = sum(number * weight for number, weight in zip(column, weights, strict=True))
            # the sum is rounded in float64, so only the last rounding to float32 shows
            assert getattr(after.replica, name)[place] == pytest.approx(
                float(exact / sum(weights)), rel=1e-7, abs=1e-12
            )
    np.testing.assert_array_equal(after.outer, outer)


def test_one_replica_alone_comes_back_bit_for_bit():
    (part,), (start, outer) = replicas(1), vectors(2)
    after = average([part], [96], start, outer, AveragingRule())
    np.testing.assert_array_equal(after.replica.theta, part.theta)
    np.testing.assert_array_equal(after.replica.velocity, part.velocity)


def test_sums_are_taken_left_to_right_in_groups_of_eight():
    huge, tiny = np.full(3, 2.0**60, np.float64), np.ones(3, np.float64)
    first = [huge, *[tiny] * 7]  # each 1 is lost next to 2^60
    second = [tiny] * 7  # seven of them by themselves are not
    assert FAN_IN == 8
    whole = tree_sum([*first, *second, -huge], [1.0] * 16)
    # the second group ends in 7 - 2^60, where 7 is lost again
    np.testing.assert_array_equal(whole, [0.0] * 3)
    np.testing.assert_array_equal(tree_sum([*first, -huge, *second], [1.0] * 16), [0.0] * 3)
    np.testing.assert_array_equal(tree_sum([huge, -huge, *second, *[tiny] * 7], [1.0] * 16), [14.0] * 3)


def test_velocities_that_are_zero_throughout_sum_to_zeros_without_a_sign():
    zeros = [np.full(3, -0.0, np.float32)] * 2
    assert not np.signbit(weighted_velocity_sum(zeros, [1.0, 2.0])).any()
    assert np.signbit(weighted_sum(zeros, [1.0, 2.0])).all()
    moving = [np.array([1, -2, 0], np.float32), np.array([0, 3, 0], np.float32)]
    np.testing.assert_array_equal(weighted_velocity_sum(moving, [2.0, 1.0]), [2, -1, 0])


def test_the_outer_optimizer_takes_nesterov_steps_along_the_displacement():
    part, start, outer = Replica(np.float32([3.0]), np.float32([5.0])), np.float32([1.0]), np.float32([4.0])
    after = average([part], [10], start, outer, AveragingRule(outer_lr=0.5, outer_momentum=0.25, reset_velocity=True))
    # d = 2, outer = 0.25 * 4 + 2 = 3, theta = 1 + 0.5 * (2 + 0.25 * 3)
    assert (after.outer, after.replica.theta, after.replica.velocity) == (3.0, 2.375, 0.0)
    assert (after.length, after.travelled) == (9.0, 4.0)


def test_a_distance_is_taken_in_float64():
    start = np.float32([1e8, 3.0])
    assert squared_distance(np.float32([1e8 + 8, 7.0]), start) == 80.0


@pytest.mark.parametrize("rule", [AveragingRule(), AveragingRule(0.5, 0.25), AveragingRule(0.5, 0.25, True)])
def test_what_is_averaged_in_float64_goes_on_in_float32_in_its_shape(rule):
    start, outer = vectors(2)
    after = average(replicas(3), [4, 5, 6], start, outer, rule)
    for vector in (after.replica.theta, after.replica.velocity, after.outer):
        assert (vector.dtype, vector.shape) == (np.float32, (SIZE,))
    assert after.replica.velocity.any() != rule.reset_velocity


@pytest.mark.parametrize("count", [1, 2, 9])
def test_velocities_that_are_zero_throughout_average_to_zeros_without_a_sign(count):
    start, outer = vectors(2)
    still = [Replica(theta, np.full(SIZE, -0.0, np.float32)) for theta in vectors(count)]
    after = average(still, [3] * count, start, outer, AveragingRule())
    np.testing.assert_array_equal(after.replica.velocity, np.zeros(SIZE))
    assert not np.signbit(after.replica.velocity).any()


@pytest.mark.parametrize("rule", [AveragingRule(), AveragingRule(0.5, 0.25), AveragingRule(0.5, 0.25, True)])
def test_buffers_become_their_average_and_parameters_what_they_would_without_them(rule: AveragingRule):
    parts, weights, trained = replicas(3), [4, 5, 6], SIZE - 5
    start, outer = vectors(2)
    with_buffers = [Replica(part.theta, part.velocity[:trained]) for part in parts]
    after = average(with_buffers, weights, start, outer[:trained], rule, trained)
    without = [Replica(part.theta[:trained], part.velocity[:trained]) for part in parts]
    expected = average(without, weights, start[:trained], outer[:trained], rule)
    mean = np.average([part.theta.astype(np.float64) for part in parts], axis=0, weights=weights)
    assert (after.replica.theta.dtype, after.replica.theta.shape) == (np.float32, (SIZE,))
    np.testing.assert_array_equal(after.replica.theta[:trained], expected.replica.theta)
    np.testing.assert_allclose(after.replica.theta[trained:], mean[trained:], rtol=1e-6)  # one rounding to float32
    np.testing.assert_array_equal(after.replica.velocity, expected.replica.velocity)
    np.testing.assert_array_equal(after.outer, expected.outer)
    # of NumPy's own average, in float64; no buffer counts
    assert after.length == pytest.approx(np.sum(mean[:trained] ** 2), rel=1e-9)
    assert after.travelled == pytest.approx(np.sum((mean - start)[:trained] ** 2), rel=1e-9)
