"""What the executor makes of failures, with scripted windows of rounds."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any, cast

import pytest

import service.cluster.dask_executor
from service.cluster.connection import Cluster
from service.cluster.dask_executor import DaskExecutor
from service.cluster.failure_policy import ATTEMPTS, TasksLost
from service.errors import ClusterError
from service.home import Home
from service.rounds.executor import ClusterEvent, Executor
from service.rounds.job import Job
from service.rounds.schedule import RoundSchedule
from service.rounds.serial_executor import SerialExecutor
from service.rounds.tasks import RoundResult
from tests.jobs import small_job


class NoCluster:
    """Stands for a connection that nobody needs."""

    workers: tuple[str, ...] = ()

    def recover(self, **_: Any) -> None:
        pass


class ScriptedWindow:
    """A window that computes its rounds in this process; only every third result, and the last, brings the state."""

    patience_s = 0.0

    def __init__(self, *arguments: Any, **_: Any) -> None:
        _, self._job, self._state, self._first, self._schedule = arguments

    def results(self) -> Iterator[RoundResult | ClusterEvent]:
        for result in SerialExecutor().run_rounds(self._job, self._state, self._first, self._schedule):
            yield from self.before(result.round.number)
            brings_state = result.round.number % 3 == 0 or self._schedule.after(result.round) is None
            yield result if brings_state else replace(result, state=None)

    def before(self, number: int) -> list[ClusterEvent]:
        return []


def results_with(
    window: type[ScriptedWindow], job: Job, monkeypatch: pytest.MonkeyPatch
) -> Iterator[RoundResult | ClusterEvent]:
    monkeypatch.setattr(service.cluster.dask_executor, "RoundWindow", window)
    executor: Executor = DaskExecutor(cast(Cluster, NoCluster()))  # mypy holds it to the protocol
    schedule = RoundSchedule(job.plan)
    return executor.run_rounds(job, job.initial_state(), schedule.after(None), schedule)


def numbers(seen: list[RoundResult | ClusterEvent]) -> list[int]:
    return [each.round.number for each in seen if isinstance(each, RoundResult)]


def test_a_round_that_always_fails_ends_the_run_though_rounds_before_it_are_done_again(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    class FailsAtFive(ScriptedWindow):
        def before(self, number: int) -> list[ClusterEvent]:
            if number == 5:
                raise TasksLost("a worker left", 1)
            return []

    job = small_job(home, tmp_path / "idx")
    seen: list[RoundResult | ClusterEvent] = []
    results = results_with(FailsAtFive, job, monkeypatch)
    with pytest.raises(ClusterError, match="round 5 was disturbed 7 times in a row"):
        seen.extend(islice(results, 100))
    assert sum(isinstance(each, ClusterEvent) for each in seen) == ATTEMPTS + 1  # the last one is reported too
    assert numbers(seen) == [0, 1, 2, 3, 4] + [4] * ATTEMPTS  # the newest state is that after round 3


def test_workers_may_leave_as_often_as_they_like_if_they_had_no_task_of_the_round(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    class Restless(ScriptedWindow):
        def before(self, number: int) -> list[ClusterEvent]:
            departures = [ClusterEvent("a worker left", 2, 3, is_failure=False)] * (2 * ATTEMPTS)
            return departures if number == 2 else []

    job = small_job(home, tmp_path / "idx")
    seen = list(results_with(Restless, job, monkeypatch))
    assert sum(isinstance(each, ClusterEvent) for each in seen) == 2 * ATTEMPTS
    assert numbers(seen) == list(range(6))


def test_what_a_task_raises_by_itself_comes_through_as_it_is(home: Home, tmp_path: Path, executor_of):
    job = small_job(home, tmp_path / "idx")
    (job.data.path / "train" / "images" / "c" / "0" / "0" / "0").unlink()
    schedule = RoundSchedule(job.plan)
    with pytest.raises(Exception, match="is missing"):
        next(executor_of(2).run_rounds(job, job.initial_state(), schedule.after(None), schedule))
