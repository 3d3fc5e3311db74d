"""The moving average of the parameters: its values, and that nothing else of a training knows of it."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from service.cluster.dask_executor import DaskExecutor
from service.home import Home
from service.rounds import spans
from service.rounds.job import Job
from service.rounds.moving_average import kept_share
from service.rounds.schedule import RoundSchedule
from service.rounds.spans import SpanResult, SpanStart, run_span
from service.rounds.tasks import RoundResult
from service.rounds.train_state import TrainState, parameters_digest
from tests.jobs import serial_results, small_job

DECAY = 0.9


@pytest.fixture
def job(home: Home, tmp_path: Path) -> Job:
    return small_job(home, tmp_path / "idx", ema=DECAY, averaging={"outer_momentum": 0.5, "solo_share": 0.3})


def without_average(job: Job) -> Job:
    return replace(job, config=job.config.model_copy(update={"ema": 0.0}))


def states_of(results: list[RoundResult]) -> list[TrainState]:
    return [result.state for result in results if result.state]


def test_the_average_is_that_of_the_parameters_at_the_ends_of_rounds(job: Job):
    expected, done = job.initial_state().replica.theta.astype(np.float64), 0
    for result in serial_results(job):
        steps = result.round.last - result.round.first
        done += steps
        for _ in range(steps):  # step by step, as if the parameters had been there all the round
            decay = min(DECAY, (1 + done) / (10 + done))
            assert result.state is not None
            expected = decay * expected + (1 - decay) * result.state.replica.theta
        assert result.state is not None
        assert result.state.ema is not None
        np.testing.assert_allclose(result.state.ema, expected, rtol=1e-5, atol=1e-7)
        assert result.digest == parameters_digest(result.state.ema)
        assert result.theta_digest == parameters_digest(result.state.replica.theta)
        expected = result.state.ema.astype(np.float64)
    assert done == job.plan.steps


def test_buffers_are_averaged_as_parameters_are(home: Home, tmp_path: Path):
    layers = '["flatten", { dense = { units = 8 } }, "batchnorm2d", "relu", { dense = { units = "classes" } }]'
    job = small_job(home, tmp_path / "idx", model=f'name = "normed"\nlayers = {layers}', ema=DECAY, epochs=1)
    before = job.initial_state()
    trained = job.network.num_parameters
    assert trained < job.network.size
    (first, *_) = states_of(list(serial_results(job)))
    kept = kept_share(DECAY, 4, 4)
    expected = kept * before.replica.theta[trained:] + (1 - kept) * first.replica.theta[trained:]
    assert first.ema is not None
    np.testing.assert_allclose(first.ema[trained:], expected, rtol=1e-5, atol=1e-7)
    assert (first.replica.theta[trained:] != before.replica.theta[trained:]).any()


def test_a_training_goes_the_same_way_with_and_without_an_average(job: Job):
    averaged, plain = list(serial_results(job)), list(serial_results(without_average(job)))
    for one, other in zip(averaged, plain, strict=True):
        assert (one.theta_digest, one.loss, one.dispersion) == (other.digest, other.loss, other.dispersion)
        assert other.theta_digest == ""
        assert one.digest != other.digest


def test_a_cluster_and_spans_give_the_average_of_single_shards(
    job: Job, executor_of: Callable[[int], DaskExecutor], monkeypatch: pytest.MonkeyPatch
):
    expected = list(serial_results(job))

    def in_spans(rounds: int) -> list[RoundResult]:
        before: SpanStart | SpanResult = SpanStart(job.initial_state(), job.plan.first_round(), RoundSchedule(job.plan))
        results: list[RoundResult] = []
        while (span := run_span(job, before, rounds)) is not None:
            results += span.results
            before = span
        return results

    schedule = RoundSchedule(job.plan)
    rounds = executor_of(2).run_rounds(job, job.initial_state(), schedule.after(None), schedule)
    ways = [in_spans(3), [result for result in rounds if isinstance(result, RoundResult)]]
    monkeypatch.setattr(spans, "_averages_itself", lambda job: True)  # as on a GPU
    ways.append(in_spans(3))
    for results in ways:
        found = [(result.digest, result.theta_digest) for result in results]
        assert found == [(result.digest, result.theta_digest) for result in expected]
        for name in ("ema", "outer"):
            last, wanted = (getattr(states_of(way)[-1], name) for way in (results, expected))
            np.testing.assert_array_equal(last, wanted)


@pytest.mark.parametrize(
    ("decay", "done", "steps", "share"),
    [
        (0.999, 1, 1, 2 / 11),
        (0.5, 1000, 1, 0.5),
        (0.5, 1000, 3, 0.125),
        (0.9, 10, 2, (11 / 20) ** 2),
        (0.9, 90, 1, 0.9),
    ],
)
def test_first_steps_forget_more(decay: float, done: int, steps: int, share: float):
    assert kept_share(decay, done, steps) == pytest.approx(share, rel=1e-12)


def test_a_state_tells_its_size_and_what_it_would_publish(job: Job):
    state, plain = job.initial_state(), without_average(job).initial_state()
    assert plain.ema is None
    assert state.nbytes == plain.nbytes + state.replica.theta.nbytes
    other = replace(state, ema=state.replica.theta + 1)
    assert other.published is other.ema
    assert plain.published is plain.replica.theta
    assert other.without_velocity().ema is other.ema
