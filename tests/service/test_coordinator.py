"""What the coordinator makes of trouble, with windows of rounds that are played."""

from itertools import islice
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

import service.coordinator
from service.cluster import Cluster
from service.coordinator import ATTEMPTS, coordinate
from service.course import Course
from service.errors import ClusterError
from service.home import Home
from service.replay import replay
from service.window import Disturbance, Disturbed, Window
from tests.jobs import small_job


class Played:
    """A window that reports the true rounds up to one that always fails; states come with every third alone."""

    def __init__(self, *arguments: Any, **_: Any) -> None:
        _, self._job, self._start, self._first, *_ = arguments

    def reports(self):
        for report in replay(self._job, self._start, self._first):
            if report.round.number == 4:
                raise Disturbed("a worker left", 1)
            report = report if report.round.number % 3 == 0 else SimpleNamespace(**{**report.__dict__, "state": None})
            yield report


def test_a_round_that_always_fails_ends_the_run_though_rounds_before_it_are_done_again(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    job = small_job(home, tmp_path / "idx")
    monkeypatch.setattr(service.coordinator, "Window", Played)
    monkeypatch.setattr(service.coordinator, "_recover", lambda *_, **__: None)
    cluster = cast(Cluster, SimpleNamespace(workers=[]))
    seen: list[Any] = []
    course = Course(job.plan, {})
    watched = (
        seen.append(each) for each in coordinate(cluster, job, job.initial_state(), job.plan.first_round(), course)
    )
    with pytest.raises(ClusterError, match="disturbed 7 times in a row"):
        list(islice(watched, 100))
    assert sum(isinstance(each, Disturbance) for each in seen) == ATTEMPTS + 1  # the last one too is told
    assert [each.round.number for each in seen if not isinstance(each, Disturbance)][:4] == [0, 1, 2, 3]


class Restless(Played):
    """A window around whose third round workers come and go that had nothing of it."""

    patience = 0.0

    def reports(self):
        for report in replay(self._job, self._start, self._first):
            if report.round.number == 2:
                yield from [Disturbance("a worker left", 2, 3, struck=False)] * (2 * ATTEMPTS)
            yield report


def test_workers_may_leave_as_often_as_they_like_if_they_had_nothing_of_the_round(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    job = small_job(home, tmp_path / "idx")
    monkeypatch.setattr(service.coordinator, "Window", Restless)
    cluster = cast(Cluster, SimpleNamespace(workers=[]))
    seen = list(coordinate(cluster, job, job.initial_state(), job.plan.first_round(), Course(job.plan, {})))
    assert sum(isinstance(each, Disturbance) for each in seen) == 2 * ATTEMPTS
    assert [each.round.number for each in seen if not isinstance(each, Disturbance)] == list(range(6))


def test_what_a_task_raises_by_itself_comes_through_as_it_is(home: Home, tmp_path: Path, cluster_of):
    job = small_job(home, tmp_path / "idx")
    cluster, start, first = cluster_of(2), job.initial_state(), job.plan.first_round()
    (job.data.path / "train" / "images" / "c" / "0" / "0" / "0").unlink()
    window = Window(cluster, job, start, first, Course(job.plan, {}), avoided=frozenset, warm=set(), patience=60)
    with pytest.raises(Exception, match="is missing"):
        next(window.reports())
