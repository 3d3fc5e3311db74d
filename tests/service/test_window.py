"""The window of rounds in flight: what it keeps when a worker leaves, and where it comes to its end."""

import os
import signal
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

import service.flight
import service.window
from service.cluster import Cluster, open_cluster
from service.config import ClusterConfig
from service.coordinator import coordinate
from service.course import Course
from service.home import Home
from service.job import Job
from service.replay import replay
from service.rounds import Report
from service.window import AHEAD, Disturbance, Disturbed, Window
from tests.jobs import small_job

LONG = {"model": "lenet", "resize": 28, "epochs": 60}


def window_on(cluster: Cluster, job: Job) -> Window:
    start, first = job.initial_state(), job.plan.first_round()
    return Window(cluster, job, start, first, Course(job.plan, {}), avoided=frozenset, warm=set(), patience=60)


def kill_one(cluster: Cluster) -> None:
    victim = cluster.workers[0]
    os.kill(cluster.client.run(os.getpid, workers=[victim])[victim], signal.SIGKILL)


def digests(told: list[Report | Disturbance]) -> list[str]:
    return [each.digest for each in told if isinstance(each, Report)]


def alone(job: Job, rounds: int | None = None) -> list[str]:
    reports = replay(job, job.initial_state(), job.plan.first_round())
    return [report.digest for report in islice(reports, rounds)]


def test_rounds_go_on_without_a_worker_that_dies_and_its_successor_joins_them(home: Home, tmp_path: Path):
    job = small_job(home, tmp_path / "idx", train=900, **LONG)
    with open_cluster(ClusterConfig(workers=2, worker_type="processes")) as cluster:
        founders, reports = set(cluster.workers), window_on(cluster, job).reports()
        told = [next(reports) for _ in range(8)]
        kill_one(cluster)
        for each in reports:
            told.append(each)
            if isinstance(each, Report) and not {each.quickest.worker, each.slowest.worker} <= founders:
                break
        else:
            pytest.fail("the successor was given nothing")
        reports.close()
    left = [each for each in told if isinstance(each, Disturbance)]
    assert [each.why for each in left] == ["a worker left"]
    assert left[0].tasks > 0
    assert digests(told) == alone(job, len(told) - 1)


def test_results_that_nobody_else_has_yet_are_made_anew_and_no_others(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    # the coordinator holds back long enough, and no round waits, so that each result is where it was made
    monkeypatch.setattr(service.flight, "YIELD_SECONDS", 1.0)
    monkeypatch.setattr(service.window, "AHEAD", 1)
    job = small_job(home, tmp_path / "idx", epochs=1)
    with open_cluster(ClusterConfig(workers=2, worker_type="processes")) as cluster:
        reports = window_on(cluster, job).reports()
        told = [next(reports)]
        killer = Thread(target=_kill_when_done, args=(cluster, job, 1))
        killer.start()
        told += reports
        killer.join()
    left = [each for each in told if isinstance(each, Disturbance)]
    assert [each.why for each in left] == ["a worker left"]
    assert 0 < left[0].tasks < job.config.averaging.shards
    assert digests(told) == alone(job)


def _kill_when_done(cluster: Cluster, job: Job, number: int) -> None:
    """Kill a worker as soon as all shards of a round are done."""
    done = 0
    while done < job.config.averaging.shards:
        held = {key for keys in cluster.client.has_what().values() for key in keys}
        done = sum(key.startswith("round-") and key.split("-")[2] == str(number) for key in held)
    kill_one(cluster)


def test_what_the_last_worker_had_is_lost(home: Home, tmp_path: Path):
    job = small_job(home, tmp_path / "idx", train=900, **LONG)
    with open_cluster(ClusterConfig(workers=1, worker_type="processes")) as cluster:
        reports = window_on(cluster, job).reports()
        next(reports)
        kill_one(cluster)
        with pytest.raises(Disturbed, match="the last worker left"):
            list(reports)


def test_no_chain_of_results_grows_without_end(
    home: Home, tmp_path: Path, cluster_of: Callable[[int], Cluster], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(service.window, "CHAIN_TASKS", 12)
    monkeypatch.setattr(service.window, "CHAIN_ROUNDS", 4)
    job = small_job(home, tmp_path / "idx", epochs=10)
    cluster, course = cluster_of(2), Course(job.plan, {})
    told, known = [], []
    for each in coordinate(cluster, job, job.initial_state(), job.plan.first_round(), course):
        told.append(each)
        known.append(cluster.client.run_on_scheduler(_tasks))
    assert digests(told) == alone(job)
    a_round = job.config.averaging.shards
    assert max(known) <= 12 + (AHEAD + 1) * a_round + len(cluster.workers)
    assert len(told) > 2 * max(known) / a_round  # it is no matter of a short run


def _tasks(dask_scheduler: Any) -> int:
    return len(dask_scheduler.tasks)
