"""Spans of any length give the rounds that tasks of single shards give."""

from dataclasses import fields
from pathlib import Path

import pytest

from service.config import from_preset
from service.home import Home
from service.rounds import spans
from service.rounds.job import Job
from service.rounds.schedule import RoundSchedule
from service.rounds.serial_executor import SerialExecutor
from service.rounds.spans import SpanResult, SpanStart, run_span
from service.rounds.strategies.base import averaging_rule
from service.rounds.tasks import RoundResult
from service.training.loop import advance
from service.training.start import create_run
from tests.jobs import serial_results, small, small_job

MEASURED = {"seconds", "ended", "quickest", "slowest", "state"}
"""What differs from one computation to the next, and the state, which is compared by itself."""

STRATEGIES = {
    "fedavg": {"strategy": "fedavg"},
    "outer momentum, solo start": {"solo_share": 0.3, "outer_momentum": 0.7},
    "a plain average at the end": {"outer_momentum": 0.7, "final_average": "plain"},
    "outer rate, velocity reset": {"outer_lr": 0.5, "outer_momentum": 0.3, "velocity": "reset"},
    "growing interval": {"first_average_every": 1, "average_every": 5},
    "twelve shards": {"shards": 12, "outer_momentum": 0.5},
    "slowmo": {"strategy": "slowmo", "outer_momentum": 0.5},
    "following the dispersion": {"target_dispersion": 1e-5, "average_every": 2},
    "a start that ends by the loss": {"solo_share": 1.0, "solo_loss": 0.8, "average_every": 2, "outer_momentum": 0.7},
}


ON_HOST = ("slowmo", "following the dispersion")
"""Strategies whose averages are always worked out on the host."""


def in_spans(job: Job, rounds: int, threads: int = 1) -> list[RoundResult]:
    """All rounds of a job, computed in spans of so many, the shards of each round on so many threads."""
    before: SpanStart | SpanResult = SpanStart(job.initial_state(), job.plan.first_round(), RoundSchedule(job.plan))
    results: list[RoundResult] = []
    while (span := run_span(job, before, rounds, threads=threads)) is not None:
        results += span.results
        before = span
    return results


def same(result: RoundResult, expected: RoundResult) -> bool:
    names = [field.name for field in fields(RoundResult) if field.name not in MEASURED]
    return [getattr(result, name) for name in names] == [getattr(expected, name) for name in names]


@pytest.mark.parametrize("averaging", STRATEGIES.values(), ids=STRATEGIES)
@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_a_span_of_any_length_gives_the_rounds_of_single_shards(
    home: Home, tmp_path: Path, averaging: dict[str, object], momentum: float
):
    job = small_job(home, tmp_path / "idx", averaging=averaging, optimizer={"momentum": momentum})
    expected = list(serial_results(job))
    assert len(expected) > 3
    for rounds, threads in ((1, 1), (3, 2), (1000, 3)):
        results = in_spans(job, rounds, threads)
        assert len(results) == len(expected)
        assert all(same(*pair) for pair in zip(results, expected, strict=True))
        for name in ("theta", "velocity"):
            last, wanted = results[-1].state, expected[-1].state
            assert last is not None
            assert wanted is not None
            assert getattr(last.replica, name).tobytes() == getattr(wanted.replica, name).tobytes()
            assert last.outer.tobytes() == wanted.outer.tobytes()


@pytest.mark.parametrize("averaging", [given for name, given in STRATEGIES.items() if name not in ON_HOST])
def test_averages_that_an_engine_takes_itself_are_those_of_the_host(
    home: Home, tmp_path: Path, averaging: dict[str, object], monkeypatch: pytest.MonkeyPatch
):
    job = small_job(home, tmp_path / "idx", averaging=averaging, optimizer={"momentum": 0.9})
    assert averaging_rule(job.strategy) is not None
    expected = list(serial_results(job))
    monkeypatch.setattr(spans, "_averages_itself", lambda job: True)
    monkeypatch.setattr(spans, "run_round", None)  # the host's way is not taken
    for rounds in (4, 1000):
        results = in_spans(job, rounds)
        assert len(results) == len(expected)
        assert all(same(*pair) for pair in zip(results, expected, strict=True))
        for result, wanted in zip(results, expected, strict=True):
            if job.plan.ends_epoch(result.round):
                assert result.state is not None
                assert wanted.state is not None
                assert result.state.replica.velocity.tobytes() == wanted.state.replica.velocity.tobytes()
                assert result.state.outer.tobytes() == wanted.state.outer.tobytes()


def test_strategies_that_an_engine_can_t_work_out_say_so(home: Home, tmp_path: Path):
    job = small_job(home, tmp_path / "idx", averaging=STRATEGIES["slowmo"])
    assert averaging_rule(job.strategy) is None


def test_a_run_whose_spans_have_several_epochs_has_all_their_checkpoints(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """On a GPU a span takes half a second, in which there may be many epochs."""
    given = {"epochs": 12, "averaging": {"outer_momentum": 0.5}, "optimizer": {"lr": 0.2, "momentum": 0.5}}
    job = small_job(home, tmp_path / "idx", **given)
    expected = [result for result in serial_results(job) if job.plan.ends_epoch(result.round)]
    monkeypatch.setattr(spans, "_averages_itself", lambda job: True)

    class InSpans(SerialExecutor):
        def run_rounds(self, job, state, first, schedule):
            yield from in_spans(job, 20)

    folder, job = create_run(home, InSpans(), from_preset(small(**given)), "run")
    for _ in advance(InSpans(), folder, job):
        pass
    assert folder.checkpoints.numbers() == [result.round.number + 1 for result in reversed(expected)]
    assert [folder.checkpoints.read(result.round.number + 1).state.digest for result in expected] == [
        result.digest for result in expected
    ]
