"""What the coordinator makes of trouble, with windows of rounds that are played."""

from itertools import islice
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

import service.cluster.dask_executor
from service.cluster.connection import Cluster
from service.cluster.dask_executor import ATTEMPTS, coordinate
from service.cluster.in_flight import Disturbed, Window
from service.errors import ClusterError
from service.home import Home
from service.rounds.executor import ClusterEvent
from service.rounds.schedule import RoundSchedule
from tests.jobs import serial_results, small_job


class Played:
    """A window that reports the true rounds up to one that always fails; states come with every third alone."""

    def __init__(self, *arguments: Any, **_: Any) -> None:
        _, self._job, self._start, self._first, *_ = arguments

    def reports(self):
        for report in serial_results(self._job, self._start):
            if report.round.number == 4:
                raise Disturbed("a worker left", 1)
            report = report if report.round.number % 3 == 0 else SimpleNamespace(**{**report.__dict__, "state": None})
            yield report


def test_a_round_that_always_fails_ends_the_run_though_rounds_before_it_are_done_again(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    job = small_job(home, tmp_path / "idx")
    monkeypatch.setattr(service.cluster.dask_executor, "Window", Played)
    monkeypatch.setattr(service.cluster.dask_executor, "_recover", lambda *_, **__: None)
    cluster = cast(Cluster, SimpleNamespace(workers=[]))
    seen: list[Any] = []
    schedule = RoundSchedule(job.plan, {})
    watched = (
        seen.append(each) for each in coordinate(cluster, job, job.initial_state(), job.plan.first_round(), schedule)
    )
    with pytest.raises(ClusterError, match="disturbed 7 times in a row"):
        list(islice(watched, 100))
    assert sum(isinstance(each, ClusterEvent) for each in seen) == ATTEMPTS + 1  # the last one too is told
    assert [each.round.number for each in seen if not isinstance(each, ClusterEvent)][:4] == [0, 1, 2, 3]


class Restless(Played):
    """A window around whose third round workers come and go that had nothing of it."""

    patience = 0.0

    def reports(self):
        for report in serial_results(self._job, self._start):
            if report.round.number == 2:
                yield from [ClusterEvent("a worker left", 2, 3, is_failure=False)] * (2 * ATTEMPTS)
            yield report


def test_workers_may_leave_as_often_as_they_like_if_they_had_nothing_of_the_round(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    job = small_job(home, tmp_path / "idx")
    monkeypatch.setattr(service.cluster.dask_executor, "Window", Restless)
    cluster = cast(Cluster, SimpleNamespace(workers=[]))
    seen = list(coordinate(cluster, job, job.initial_state(), job.plan.first_round(), RoundSchedule(job.plan, {})))
    assert sum(isinstance(each, ClusterEvent) for each in seen) == 2 * ATTEMPTS
    assert [each.round.number for each in seen if not isinstance(each, ClusterEvent)] == list(range(6))


def test_what_a_task_raises_by_itself_comes_through_as_it_is(home: Home, tmp_path: Path, cluster_of):
    job = small_job(home, tmp_path / "idx")
    cluster, start, first = cluster_of(2), job.initial_state(), job.plan.first_round()
    (job.data.path / "train" / "images" / "c" / "0" / "0" / "0").unlink()
    window = Window(cluster, job, start, first, RoundSchedule(job.plan, {}), avoided=frozenset, warm=set(), patience=60)
    with pytest.raises(Exception, match="is missing"):
        next(window.reports())
