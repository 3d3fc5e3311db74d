"""What is said of a round, from parts made by hand: no engine takes a step here, except where that is said."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ops.engines.base import Replica
from service.home import Home
from service.networks import Description
from service.rounds import tasks
from service.rounds.averaging import divergence, partial_sum
from service.rounds.job import Job
from service.rounds.plan import Measured, Round
from service.rounds.shard_update import Pace, RoundStats, ShardUpdate
from service.rounds.tasks import round_result, shard_update, state_after
from service.rounds.train_state import TrainState
from tests.jobs import small_job

NORMALIZED = Description.of(
    {
        "name": "normalized",
        "layers": [
            {"conv2d": {"channels": 2, "kernel_size": 3, "stride": 2}},
            "batchnorm2d",
            "relu",
            "flatten",
            {"dense": {"units": "classes"}},
        ],
    }
)
"""A network with buffers behind its parameters."""

SECOND = Round(number=1, epoch=0, first=4, last=8, shards=2)
STATS = [
    RoundStats(30, 60.0, 12, 9e7, 0.5, 1000.0, Pace(0.2, "tcp://a:1"), Pace(0.2, "tcp://a:1")),
    RoundStats(10, 10.0, 6, 5e7, 0.25, 1001.0, Pace(0.1, "tcp://b:1"), Pace(0.1, "tcp://b:1")),
]


@pytest.fixture
def job(home: Home, tmp_path: Path) -> Job:
    return small_job(home, tmp_path / "idx", averaging={"shards": 2, "outer_momentum": 0.5, "outer_lr": 0.7})


def parts_of(job: Job) -> list[ShardUpdate]:
    """Two shards that moved somewhere, with the figures above."""
    random, start = np.random.default_rng(2), job.initial_state()
    sizes = (start.replica.theta.size, start.replica.velocity.size)
    moved = [Replica(*(random.normal(size=size).astype(np.float32) for size in sizes)) for _ in STATS]
    return [
        ShardUpdate(replica, stats, start.without_velocity() if shard == 0 else None)
        for shard, (replica, stats) in enumerate(zip(moved, STATS, strict=True))
    ]


@pytest.mark.parametrize("with_state", [False, True])
def test_a_result_says_what_was_counted_and_measured(job: Job, with_state: bool):
    parts = parts_of(job)
    result, state = round_result(job, (SECOND, parts), with_state), state_after(job, (SECOND, parts))
    apart = divergence(partial_sum(parts), 4)
    assert (result.round, result.examples, result.loss, result.accuracy) == (SECOND, 40, 70 / 40, 18 / 40)
    assert result.digest == state.digest
    assert (result.drift, result.dispersion) == apart
    assert apart.dispersion > 0
    assert (result.seconds, result.ended) == (0.75, 1001.0)
    assert (result.quickest, result.slowest) == (Pace(0.1, "tcp://b:1"), Pace(0.2, "tcp://a:1"))
    assert (result.state is state) if with_state else result.state is None


def test_the_state_after_a_round_is_what_the_strategy_makes_of_the_average(job: Job):
    parts = parts_of(job)
    mean = (30 * parts[0].replica.theta.astype(np.float64) + 10 * parts[1].replica.theta) / 40
    start = job.initial_state().replica.theta
    moved = mean - start
    # DiLoCo from rest, at rate 0.7 with momentum 0.5; one rounding to float32 of numbers near 1
    np.testing.assert_allclose(state_after(job, (SECOND, parts)).replica.theta, start + 0.7 * 1.5 * moved, atol=2e-6)


def test_a_round_that_one_task_took_alone_is_not_averaged(job: Job):
    alone, both = replace(SECOND, shards=1, solo=True), replace(SECOND, shards=1)
    parts = parts_of(job)[:1]
    np.testing.assert_array_equal(state_after(job, (alone, parts)).replica.theta, parts[0].replica.theta)
    assert not np.array_equal(state_after(job, (both, parts)).replica.theta, parts[0].replica.theta)


@pytest.mark.parametrize(("number", "sign"), [(3.4e38, 1), (np.inf, -1), (np.inf, 1)])
@pytest.mark.parametrize("began", [0.0, np.inf])
def test_a_training_that_diverges_has_results_and_no_warnings(job: Job, number: float, sign: int, began: float):
    far = [replace(part, replica=Replica(part.replica.theta * 0 + np.float32(number), part.replica.velocity))
           for part in parts_of(job)]  # fmt: skip
    far[1] = replace(far[1], replica=Replica(sign * far[1].replica.theta, far[1].replica.velocity))
    start = far[0].start
    assert start is not None
    from_there = Replica(start.replica.theta + np.float32(began), start.replica.velocity)
    far[0] = replace(far[0], start=replace(start, replica=from_there))
    result = round_result(job, (SECOND, far), True)
    assert result.state is not None
    assert not np.isfinite(result.state.replica.theta).any()


def test_the_averages_of_large_networks_are_not_kept(job: Job, monkeypatch: pytest.MonkeyPatch):
    size, parts = job.network.num_parameters, parts_of(job)
    monkeypatch.setattr(tasks, "KEPT_PARAMETERS", size)
    assert state_after(job, (SECOND, parts)) is state_after(job, (SECOND, parts))
    monkeypatch.setattr(tasks, "KEPT_PARAMETERS", size - 1)
    first, again = state_after(job, (SECOND, parts)), state_after(job, (SECOND, parts))
    assert first is not again
    assert first.digest == again.digest


def clock(*readings: float) -> Callable[[], float]:
    left = list(readings)
    return lambda: left.pop(0)


def test_later_intervals_see_the_loss_and_the_dispersion_where_shards_were_apart(job: Job):
    result = round_result(job, (SECOND, parts_of(job)), with_state=False)
    assert result.loss == 1.75
    assert result.dispersion > 0
    assert result.theta_digest == ""
    assert result.measured == Measured(1.75, result.dispersion)
    assert replace(result, round=replace(SECOND, solo=True)).measured == Measured(1.75, None)


@pytest.mark.parametrize("worker", ["", "tcp://here:1"])
def test_a_shard_says_how_far_it_went_how_long_that_took_and_where(
    job: Job, monkeypatch: pytest.MonkeyPatch, worker: str
):
    monkeypatch.setattr(tasks, "perf_counter", clock(10.0, 16.0))
    monkeypatch.setattr(tasks, "time", clock(1000.0))
    start, round_ = job.initial_state(), job.plan.first_round()
    update = shard_update(job, round_, 0, start, *([worker] if worker else []))
    examples = len(job.plan.batches(round_, 0)[0])
    assert examples == 64  # half of four batches
    distance = np.sum((update.replica.theta.astype(np.float64) - start.replica.theta) ** 2)
    pace = Pace(6.0 / 64, worker)
    assert (update.stats.quickest, update.stats.slowest) == (pace, pace)
    assert (update.stats.examples, update.stats.seconds, update.stats.ended) == (64, 6.0, 1000.0)
    assert update.stats.spread == pytest.approx(64 * distance, rel=1e-12)
    assert update.stats.loss == pytest.approx(64 * np.log(5), rel=0.5)  # five classes, hardly learned yet
    assert 0 < update.stats.correct <= 64


def test_a_shard_without_examples_took_its_time_all_the_same(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    job = small_job(home, tmp_path / "idx", train=33, averaging={"shards": 2, "average_every": 1})
    monkeypatch.setattr(tasks, "perf_counter", clock(10.0, 16.0))
    last = [round_ for round_ in job.plan.rounds() if round_.epoch == 0][-1]
    assert shard_update(job, last, 0, job.initial_state()).stats.slowest == Pace(6.0, "")


def test_a_shard_goes_on_from_the_round_before_as_from_its_state(job: Job):
    parts = parts_of(job)
    state = state_after(job, (job.plan.first_round(), parts))
    there, here = (shard_update(job, SECOND, 0, before) for before in ((job.plan.first_round(), parts), state))
    np.testing.assert_array_equal(there.replica.theta, here.replica.theta)
    assert there.start is not None
    np.testing.assert_array_equal(there.start.replica.theta, state.replica.theta)
    np.testing.assert_array_equal(there.start.outer, state.outer)
    assert state.replica.velocity.any()
    assert not there.start.replica.velocity.any(), "an average needs no velocity of where its round began"


def test_a_worker_is_warm_when_it_has_the_data(job: Job, monkeypatch: pytest.MonkeyPatch):
    loaded: list[Job] = []
    monkeypatch.setattr(tasks, "training_data", loaded.append)
    tasks.warm_up(job)
    assert loaded == [job]


def test_another_state_leads_elsewhere(job: Job):
    start, round_ = job.initial_state(), job.plan.first_round()
    other = TrainState(Replica(start.replica.theta + np.float32(0.01), start.replica.velocity), start.outer)
    first, second = shard_update(job, round_, 1, start), shard_update(job, round_, 1, other)
    assert not np.array_equal(first.replica.theta, second.replica.theta)
    assert first.start is second.start is None


def test_buffers_are_averaged_and_count_in_no_distance(home: Home, tmp_path: Path):
    averaging = {"shards": 2, "outer_momentum": 0.5, "outer_lr": 0.7}
    job = small_job(home, tmp_path / "idx", model=NORMALIZED, averaging=averaging)
    trained, parts = job.network.num_parameters, parts_of(job)
    start = job.initial_state().replica.theta
    assert trained < start.size
    thetas = [part.replica.theta.astype(np.float64) for part in parts]
    mean = (30 * thetas[0] + 10 * thetas[1]) / 40
    result = round_result(job, (SECOND, parts), True)
    assert result.state is not None
    theta = result.state.replica.theta
    # DiLoCo as above for the parameters; one rounding to float32 of numbers near 1
    np.testing.assert_allclose(theta[:trained], (start + 0.7 * 1.5 * (mean - start))[:trained], atol=2e-6)
    np.testing.assert_allclose(theta[trained:], mean[trained:], atol=2e-6)
    travelled, spread = np.sum((mean - start)[:trained] ** 2), sum(stats.spread for stats in STATS) / 40
    assert result.drift == pytest.approx((spread - travelled) / travelled, rel=1e-9)
    update = shard_update(job, job.plan.first_round(), 0, job.initial_state())
    moved = (update.replica.theta.astype(np.float64) - start)[:trained]
    assert update.stats.spread == pytest.approx(update.stats.examples * np.sum(moved**2), rel=1e-12)
    assert not np.array_equal(update.replica.theta[trained:], start[trained:])
