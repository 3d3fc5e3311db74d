"""Shuffles by chunks and windows."""

from itertools import chain, pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.config import TrainConfig, from_preset
from service.data import DatasetInfo
from service.rounds.plan import WINDOWED_FROM, Plan, Windows, plan_for, windows_for
from service.rounds.strategies.fedavg import FedAvg
from service.rounds.windows import Chunks, WindowedShuffle, regular_chunks
from tests.service.rounds.drawn_plans import examples_seen, plans

PLANS = plans(most_epochs=2, windows=st.builds(Windows, chunk=st.integers(1, 60), steps=st.integers(1, 12)))


def test_a_plan_keeps_the_windows_that_it_is_made_with():
    windows = Windows(chunk=10, steps=3)
    assert plan_for(TrainConfig(), 60_000, windows).windows == windows
    assert plan_for(TrainConfig(), 60_000).windows is None


@given(plan=PLANS)
def test_every_example_is_seen_exactly_once_in_each_epoch(plan: Plan):
    assert examples_seen(plan) == [list(range(plan.examples))] * plan.epochs


@given(plan=PLANS)
def test_which_examples_a_step_takes_does_not_depend_on_how_rounds_are_cut(plan: Plan):
    whole = Plan(**{**plan.__dict__, "strategy": FedAvg(10**6)})
    steps: dict[tuple[int, int, int], list[int]] = {}
    for round_ in whole.rounds():
        for shard in range(round_.shards):
            examples, offsets = whole.batches(round_, shard)
            for step, (low, high) in enumerate(pairwise(offsets)):
                steps[round_.epoch, step, shard] = examples[low:high].tolist()
    for round_ in plan.rounds():
        for shard in range(round_.shards):
            examples, offsets = plan.batches(round_, shard)
            for step, (low, high) in enumerate(pairwise(offsets), round_.first):
                shards = range(plan.shards) if round_.solo else [shard]
                expected = list(chain.from_iterable(steps[round_.epoch, step, each] for each in shards))
                assert examples[low:high].tolist() == expected


@given(plan=PLANS)
def test_a_shard_takes_its_part_of_a_window_from_neighbouring_chunks_of_the_epochs_order(plan: Plan):
    assert plan.windows is not None
    shuffle = shuffle_of(plan)
    chunks = [sorted(range(*pair)) for pair in pairwise(shuffle.chunks.bounds.tolist())]
    for window, (first, last) in enumerate(pairwise(shuffle._edges().tolist())):
        order = shuffle.window_order(0, window)
        assert len(order) == min(last * plan.batch_size, plan.examples) - first * plan.batch_size
        touched = [chunk for chunk in chunks if set(chunk) & set(order.tolist())]
        whole = [chunk for chunk in touched if set(chunk) <= set(order.tolist())]
        assert len(touched) - len(whole) <= 2  # the first and the last of a window are cut, at most


def shuffle_of(plan: Plan) -> WindowedShuffle:
    assert plan.windows is not None
    chunks = regular_chunks(plan.examples, plan.windows.chunk)
    return WindowedShuffle(plan.seed, chunks, plan.batch_size, plan.shards, plan.windows.steps)


@given(plan=PLANS)
def test_a_round_within_the_window_before_it_needs_no_other_chunks(plan: Plan):
    assert plan.windows is not None
    edges = shuffle_of(plan)._edges()
    for round_, following in pairwise(plan.rounds()):
        steps = [*range(round_.last - 1, round_.last), *range(following.first, following.last)]
        windows = set((np.searchsorted(edges, steps, "right") - 1).tolist())
        within = following.epoch == round_.epoch and len(windows) == 1
        assert plan.is_within_window(round_, following) == within


LARGE = WindowedShuffle(3, regular_chunks(10_000, 100), 50, 4, 40)


def test_a_shards_part_takes_few_chunks_and_all_parts_differ():
    order = LARGE.window_order(0, 0).reshape(40, 50)
    edges = [50 * shard // 4 for shard in range(5)]
    parts = [set((order[:, low:high] // 100).ravel().tolist()) for low, high in pairwise(edges)]
    assert all(len(part) <= 7 for part in parts)  # 500 examples of chunks of 100, cut at both ends
    assert sum(len(part) for part in parts) <= 20 + 3


@pytest.mark.parametrize("epoch", range(3))
def test_every_class_has_about_its_share_of_a_part_where_the_data_are_sorted_by_class(epoch: int):
    labels = np.repeat(np.arange(5), 20_000)
    shuffle = WindowedShuffle(0, regular_chunks(100_000, 100), 100, 4, 200)
    for window in range(5):
        order = shuffle.window_order(epoch, window).reshape(200, 100)
        for shard in range(4):
            part = labels[order[:, 25 * shard : 25 * shard + 25].ravel()]
            counts = np.bincount(part, minlength=5)
            assert counts.min() > 800  # of 1,000 each; drawn freely, one in three would be beyond
            assert counts.max() < 1_200


def test_epochs_seeds_and_windows_have_orders_of_their_own():
    orders = {
        WindowedShuffle(seed, LARGE.chunks, 50, 4, 40).order(epoch, 0, 200).tobytes()
        for seed in range(3)
        for epoch in range(4)
    }
    assert len(orders) == 12


def test_neighbours_seldom_stay_neighbours():
    order = LARGE.order(0, 0, 200)
    assert (np.abs(np.diff(order)) == 1).sum() < 100


def test_the_order_is_the_one_that_runs_on_disk_were_trained_in():
    """Another draw would be as good, but no run could be verified any more."""
    assert WindowedShuffle(0, regular_chunks(12, 3), 2, 2, 3).order(0, 0, 6).tolist() == RECORDED


RECORDED = [10, 1, 9, 0, 11, 2, 5, 6, 3, 8, 4, 7]


@given(
    count=st.integers(1, 200),
    held=st.integers(0, 100),
    size=st.integers(1, 50),
    seed=st.integers(0, 100),
)
def test_examples_that_are_held_out_leave_the_chunks_where_they_are(count: int, held: int, size: int, seed: int):
    numbers = np.random.default_rng(seed).permutation(count + held)[:count]
    trained_on = np.sort(numbers).astype(np.int32)
    chunks = Chunks.among(trained_on, count + held, size)
    assert (chunks.bounds[0], chunks.bounds[-1]) == (0, count)
    for chunk, (low, high) in enumerate(pairwise(chunks.bounds.tolist())):
        assert (trained_on[low:high] // size == chunk).all()
    shuffle = WindowedShuffle(1, chunks, 7, 3, 4)
    assert sorted(shuffle.order(0, 0, -(-count // 7)).tolist()) == list(range(count))


def test_a_shard_takes_its_part_of_the_order_that_follows_from_the_seed_the_epoch_and_the_chunks():
    plan = Plan(97, 2, 10, 5, 3, FedAvg(4), windows=Windows(chunk=8, steps=3))
    held_out = Chunks.among(np.setdiff1d(np.arange(120), np.arange(0, 120, 5)[:23]).astype(np.int32), 120, 8)
    for chunks in (None, held_out):
        shuffle = WindowedShuffle(5, chunks or regular_chunks(97, 8), 10, 3, 3)
        for round_ in plan.rounds():
            batches = [plan.batches(round_, shard, chunks) for shard in range(3)]
            steps = range(round_.last - round_.first)
            taken = [examples[offsets[step] : offsets[step + 1]] for step in steps for examples, offsets in batches]
            assert np.array_equal(np.concatenate(taken), shuffle.order(round_.epoch, round_.first, round_.last))


def info(count: int, *, is_chunked: bool, size: tuple[int, int] = (28, 28)) -> DatasetInfo:
    return DatasetInfo(Path(), "things", "", count, 10, size, 10, ("a",) * 10, 1, 1337 if is_chunked else 0)


MANY = WINDOWED_FROM // 784 + 1


@pytest.mark.parametrize(
    ("shuffle", "count", "is_chunked", "windowed"),
    [
        ("auto", MANY, True, True),
        ("auto", MANY - 1, True, False),
        ("auto", MANY, False, False),
        ("full", MANY, True, False),
        ("windowed", 100, False, True),
        ("windowed", 100, True, True),
    ],
)
def test_large_data_are_shuffled_by_windows_unless_the_configuration_says_how(shuffle, count, is_chunked, windowed):
    config = from_preset({"shuffle": shuffle, "window": 2, "batch_size": 100})
    found = windows_for(config, info(count, is_chunked=is_chunked))
    assert found == (Windows(chunk=1337, steps=25) if windowed else None)


def test_a_window_has_a_step_at_least():
    config: TrainConfig = from_preset({"shuffle": "windowed", "window": 1, "batch_size": 60_000})
    assert windows_for(config, info(100, is_chunked=True)) == Windows(1337, 1)


def test_a_window_has_no_step_that_does_not_fit_wholly():
    config = from_preset({"shuffle": "windowed", "window": 3, "batch_size": 9901})  # 101 steps are 3 bytes too many
    assert windows_for(config, info(100, is_chunked=True, size=(1, 3))) == Windows(1337, 100)


def test_data_of_the_limits_size_are_not_large_yet():
    images = WINDOWED_FROM // 1024
    assert windows_for(from_preset({}), info(images, is_chunked=True, size=(32, 32))) is None
    assert windows_for(from_preset({}), info(images + 1, is_chunked=True, size=(32, 32))) is not None
