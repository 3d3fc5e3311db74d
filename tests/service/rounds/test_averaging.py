from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ops.engines.base import Replica
from service.rounds.averaging import (
    FAN_IN,
    apply_average,
    divergence,
    divergence_of,
    partial_sum,
    tree_of_sums,
    tree_total,
)
from service.rounds.shard_update import RoundStats, ShardUpdate
from service.rounds.strategies.base import Average
from service.rounds.strategies.diloco import DiLoCo
from service.rounds.strategies.fedavg import FedAvg
from service.rounds.train_state import TrainState

PLAIN = FedAvg(1)
SIZE = 37


def contributions(weights: list[int], seed: int = 0) -> list[ShardUpdate]:
    rng = np.random.default_rng(seed)

    def vector() -> np.ndarray:
        return rng.normal(size=SIZE).astype(np.float32)

    start = TrainState(Replica(vector(), vector()), vector())
    parts = []
    for shard, weight in enumerate(weights):
        replica = Replica(vector(), vector())
        moved = replica.theta.astype(np.float64) - start.replica.theta
        stats = RoundStats(weight, 0.5 * weight, weight // 2, weight * float(moved @ moved), 0.1)
        parts.append(ShardUpdate(replica, stats, start if shard == 0 else None))
    return parts


WEIGHTS = st.lists(st.integers(0, 300), min_size=1, max_size=40).filter(any)


@given(weights=WEIGHTS)
def test_average_weights_by_examples(weights):
    parts = contributions(weights)
    state = apply_average(partial_sum(parts), PLAIN)
    for name in ("theta", "velocity"):
        expected = np.average(
            [getattr(part.replica, name).astype(np.float64) for part in parts], axis=0, weights=weights
        )
        # both accumulate in float64, so they differ by the last rounding to float32 at most
        np.testing.assert_allclose(getattr(state.replica, name), expected, rtol=2e-7, atol=1e-7)


def test_one_replica_alone_comes_back_bit_for_bit():
    parts = contributions([96])
    state = apply_average(partial_sum(parts), PLAIN)
    np.testing.assert_array_equal(state.replica.theta, parts[0].replica.theta)
    np.testing.assert_array_equal(state.replica.velocity, parts[0].replica.velocity)


@given(weights=WEIGHTS)
def test_a_tree_of_sums_equals_one_sum_to_rounding(weights):
    parts = contributions(weights)
    level = tree_of_sums(parts)
    assert len(level) <= FAN_IN
    tree, flat = apply_average(partial_sum(level), PLAIN), apply_average(partial_sum(parts), PLAIN)
    # float64 sums of at most 40 terms in two orders: equal up to one float32 rounding
    np.testing.assert_allclose(tree.replica.theta, flat.replica.theta, rtol=2e-7, atol=1e-7)


def test_eight_parts_need_no_tree():
    parts = contributions(list(range(1, 9)))
    assert tree_of_sums(parts) is parts
    assert tree_total(part.stats for part in parts) == RoundStats.total([part.stats for part in parts])


def test_a_tree_joins_neighbours_eight_at_a_time():
    parts = contributions(list(range(1, 77)))
    eights = [parts[low : low + 8] for low in (0, 8, 16, 24, 32, 40, 48, 56, 64, 72)]
    assert [len(each) for each in eights] == [8] * 9 + [4]
    sums = [partial_sum(each) for each in eights]
    found, expected = tree_of_sums(parts), [partial_sum(sums[:8]), partial_sum(sums[8:])]
    assert len(found) == 2
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one.theta, other.theta)
        np.testing.assert_array_equal(one.velocity, other.velocity)
        assert one.stats == other.stats
    totals = [RoundStats.total([part.stats for part in each]) for each in eights]
    halves = [RoundStats.total(totals[:8]), RoundStats.total(totals[8:])]
    assert tree_total(part.stats for part in parts) == RoundStats.total(halves)


def test_a_solo_round_leaves_the_outer_velocity_alone():
    parts = contributions([64])
    state = apply_average(partial_sum(parts), DiLoCo(1, lr=1.0, momentum=0.9), plain=True)
    np.testing.assert_array_equal(state.replica.theta, parts[0].replica.theta)
    np.testing.assert_array_equal(state.replica.velocity, parts[0].replica.velocity)
    assert state.replica.theta.dtype == state.replica.velocity.dtype == np.float32
    assert parts[0].start is not None
    np.testing.assert_array_equal(state.outer, parts[0].start.outer)
    np.testing.assert_array_equal(state.replica.velocity, parts[0].replica.velocity)
    assert state.replica.theta.dtype == state.replica.velocity.dtype == np.float32
    averaged = apply_average(partial_sum(parts), DiLoCo(1, lr=1.0, momentum=0.9))
    assert not np.array_equal(averaged.outer, parts[0].start.outer)


def test_a_round_of_shards_is_the_strategys_unless_it_is_said_to_be_solo():
    parts = contributions([64, 32])
    strategy = DiLoCo(1, lr=0.5, momentum=0.9)
    whole = partial_sum(parts)
    assert parts[0].start is not None
    mean = Average(whole.theta / 96, (whole.velocity / 96).astype(np.float32))
    state, expected = apply_average(whole, strategy), strategy.update(parts[0].start, mean)
    np.testing.assert_array_equal(state.replica.theta, expected.replica.theta)
    np.testing.assert_array_equal(state.replica.velocity, expected.replica.velocity)
    np.testing.assert_array_equal(state.outer, expected.outer)
    assert state.replica.velocity.dtype == np.float32


def test_the_smallest_distances_count_too():
    stats = RoundStats(examples=4, loss=1.0, correct=2, spread=2.0, seconds=0.1)
    # apart: 2 / 4 - 0.25
    assert divergence_of(stats, length=0.5, travelled=0.25, steps=2) == (1.0, 0.25)


@given(weights=WEIGHTS)
def test_divergence_is_made_of_the_replicas_mean_squared_distance_from_their_average(weights):
    parts = contributions(weights)
    start = parts[0].start
    assert start is not None
    thetas = np.array([part.replica.theta for part in parts], np.float64)
    mean = np.average(thetas, axis=0, weights=weights)
    apart = np.average(((thetas - mean) ** 2).sum(axis=1), weights=weights)
    measured = divergence(partial_sum(parts), 7)
    # a difference of sums of squares: a few float64 roundings of numbers about as large as the result's scale
    assert measured.drift == pytest.approx(apart / ((mean - start.replica.theta) ** 2).sum(), rel=1e-9, abs=1e-9)
    assert measured.dispersion == pytest.approx(apart / (7 * (mean**2).sum()), rel=1e-9, abs=1e-9)


def test_small_replicas_that_move_little_disperse_as_large_ones_do():
    def scaled(factor: float) -> list[ShardUpdate]:
        # by a power of two, which rounds nothing
        parts = contributions([3, 5, 7])
        assert parts[0].start is not None
        theta = parts[0].start.replica.theta * np.float32(factor)
        start = TrainState(Replica(theta, theta), theta)
        return [
            ShardUpdate(
                Replica(part.replica.theta * np.float32(factor), part.replica.velocity),
                replace(part.stats, spread=part.stats.spread * factor**2),
                start if part.start else None,
            )
            for part in parts
        ]

    assert divergence(partial_sum(scaled(2**-10)), 7) == divergence(partial_sum(scaled(1.0)), 7)


def test_the_dispersion_has_twelve_digits():
    measured = divergence(partial_sum(contributions([3, 5, 7])), 7)
    assert measured.dispersion == float(f"{measured.dispersion:.12g}") > 0


def test_replicas_that_are_alike_or_at_zero_do_not_disperse():
    zeros, ones = np.zeros(SIZE, np.float32), np.ones(SIZE, np.float32)
    for theta in (zeros, ones):
        start = TrainState(Replica(theta, zeros), zeros)
        part = ShardUpdate(Replica(theta, zeros), RoundStats(4, 1.0, 2, 0.0, 0.1), start)
        assert divergence(partial_sum([part]), 7) == (0.0, 0.0)


def test_rounding_does_not_make_a_distance_negative():
    zeros, ones = np.zeros(SIZE, np.float32), np.ones(SIZE, np.float32)
    start = TrainState(Replica(zeros, zeros), zeros)
    part = ShardUpdate(Replica(ones, zeros), RoundStats(4, 1.0, 2, 4 * (SIZE - 1e-9), 0.1), start)
    assert divergence(partial_sum([part]), 7) == (0.0, 0.0)


def test_stats_add_up():
    total = partial_sum(contributions([3, 0, 5])).stats
    assert (total.examples, total.correct) == (8, 3)
    assert total.loss == pytest.approx(4.0)
    assert total.seconds == pytest.approx(0.3)


def test_a_strategy_sees_no_buffers_and_they_become_their_average():
    class Watched(FedAvg):
        def update(self, start, average):
            assert start.replica.theta.shape == average.theta.shape == (30,)
            return super().update(start, average)

    parts = contributions([4, 9, 2])
    plain, strategy = apply_average(partial_sum(parts), PLAIN), DiLoCo(1, 0.5, 0.9)
    watched = apply_average(partial_sum(parts), Watched(1), trained=30)
    np.testing.assert_array_equal(watched.replica.theta, plain.replica.theta)
    np.testing.assert_array_equal(watched.replica.velocity, plain.replica.velocity)
    start = parts[0].start
    assert start is not None
    shorter = replace(parts[0], start=replace(start, outer=start.outer[:30]))
    after = apply_average(partial_sum([shorter, *parts[1:]]), strategy, trained=30)
    np.testing.assert_array_equal(after.replica.theta[30:], plain.replica.theta[30:])
    whole = apply_average(partial_sum(parts), strategy)
    np.testing.assert_array_equal(after.replica.theta[:30], whole.replica.theta[:30])
    assert after.outer.shape == (30,)


def test_the_divergence_is_that_of_the_parameters():
    parts = contributions([4, 9, 2])
    spread = [replace(part.stats, spread=8.0) for part in parts]
    whole = partial_sum([replace(part, stats=stats) for part, stats in zip(parts, spread, strict=True)])
    mean = np.average([part.replica.theta[:30].astype(np.float64) for part in parts], axis=0, weights=[4, 9, 2])
    assert parts[0].start is not None
    moved = mean - parts[0].start.replica.theta[:30]
    found = divergence(whole, 5, trained=30)
    expected = divergence_of(whole.stats, float(mean @ mean), float(moved @ moved), 5)
    np.testing.assert_allclose(found, expected, rtol=1e-9)
