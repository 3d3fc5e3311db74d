"""The window of rounds in flight: what it keeps when a worker leaves, and where it ends."""

import os
import signal
from asyncio import sleep, to_thread
from collections.abc import Callable
from itertools import count, islice
from pathlib import Path
from time import monotonic
from typing import Any

import pytest

import service.cluster.in_flight
import service.cluster.submission
from service.cluster.connection import Cluster
from service.cluster.dask_executor import DaskExecutor
from service.cluster.failure_policy import TasksLost
from service.cluster.in_flight import AHEAD
from service.cluster.local_cluster import open_cluster
from service.cluster.quarantine import Quarantine
from service.cluster.window import RoundWindow
from service.config import ClusterConfig
from service.home import Home
from service.rounds.executor import ClusterEvent
from service.rounds.job import Job
from service.rounds.schedule import RoundSchedule
from service.rounds.tasks import RoundResult
from tests.clusters import process_of, until
from tests.jobs import serial_results, small_job

LONG = {"model": "lenet", "resize": 28, "epochs": 60}


def window_on(cluster: Cluster, job: Job, quarantine: Quarantine | None = None) -> RoundWindow:
    return RoundWindow(
        *(cluster, job, job.initial_state(), job.plan.first_round(), RoundSchedule(job.plan)),
        quarantine=quarantine or Quarantine(),
        warm=set(),
        patience_s=600,
    )


def kill(cluster: Cluster, worker: str) -> None:
    os.kill(process_of(cluster, worker), signal.SIGKILL)


def digests(seen: list[RoundResult | ClusterEvent]) -> list[str]:
    return [each.digest for each in seen if isinstance(each, RoundResult)]


def alone(job: Job, rounds: int | None = None) -> list[str]:
    results = serial_results(job)
    return [report.digest for report in islice(results, rounds)]


def test_rounds_go_on_without_a_worker_that_dies_and_its_successor_joins_them(home: Home, tmp_path: Path):
    job = small_job(home, tmp_path / "idx", train=900, **LONG)
    with open_cluster(ClusterConfig(workers=2, worker_type="processes")) as cluster:
        initial_workers, results = set(cluster.workers), window_on(cluster, job).results()
        seen = [next(results) for _ in range(8)]
        kill(cluster, cluster.workers[0])
        for each in results:
            seen.append(each)
            if isinstance(each, RoundResult) and not {each.quickest.worker, each.slowest.worker} <= initial_workers:
                break
        else:
            pytest.fail("the successor took no task")
        results.close()
    left = [each for each in seen if isinstance(each, ClusterEvent)]
    assert [each.why for each in left] == ["a worker left"]
    assert left[0].tasks > 0
    assert digests(seen) == alone(job, len(seen) - 1)


@pytest.mark.parametrize("shards", [3, 1])
def test_results_that_left_with_a_worker_are_made_anew(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shards: int
):
    # no round waits behind another, so that each result is just where it was made
    monkeypatch.setattr(service.cluster.in_flight, "AHEAD", 1)
    job = small_job(home, tmp_path / "idx", train=900, **LONG | {"epochs": 1, "averaging": {"shards": shards}})
    fetches, parts_left = count(), list[int]()

    async def before_fetch(seconds: float) -> None:
        """Called when all parts of a round are made, before the coordinator fetches them."""
        if next(fetches) == 5:
            parts_left.append(await to_thread(_kill_maker, cluster, 5))

    monkeypatch.setattr(service.cluster.submission, "sleep", before_fetch)
    with open_cluster(ClusterConfig(workers=2, worker_type="processes")) as cluster:
        seen = list(window_on(cluster, job).results())
    left = [each for each in seen if isinstance(each, ClusterEvent)]
    assert [(each.why, each.is_failure) for each in left] == [("a worker left", False)]  # all of its tasks were done
    # Where all parts are gone, as those of one shard always are, so is what the round began with: it starts from the
    # coordinator's state.
    assert (left[0].tasks > 0) == (parts_left == [0])
    assert shards > 1 or parts_left == [0]
    assert digests(seen) == alone(job)


def _kill_maker(cluster: Cluster, number: int) -> int:
    """Kill a worker that made a part of a round, and wait until that is known; how many parts others made."""
    holdings = cluster.client.has_what().items()
    made = {worker: sum(_is_part(key, number) for key in keys) for worker, keys in holdings}
    maker = next(worker for worker, parts in made.items() if parts)
    kill(cluster, maker)
    until(lambda: maker not in cluster.workers)
    return sum(made.values()) - made[maker]


def _is_part(key: str, number: int) -> bool:
    kind, _, *place = key.split("-")
    return kind == "round" and place[0] == str(number)


def test_others_take_a_round_whose_only_allowed_workers_died(home: Home, tmp_path: Path):
    job = small_job(home, tmp_path / "idx", train=900, **LONG)
    quarantine = Quarantine()
    with open_cluster(ClusterConfig(workers=2, worker_type="processes")) as cluster:
        busy, idle = cluster.workers
        results = window_on(cluster, job, quarantine).results()
        seen = [next(results) for _ in range(2)]
        quarantine.add([idle])
        seen += [next(results) for _ in range(6)]
        began = monotonic()
        kill(cluster, busy)
        seen += [next(results) for _ in range(8)]
        assert monotonic() - began < 300  # half of the patience
        results.close()
    assert [each.why for each in seen if isinstance(each, ClusterEvent)] == ["a worker left"]
    assert digests(seen) == alone(job, len(seen) - 1)


def test_nobody_waits_for_a_worker_that_died_while_it_was_read_from(home: Home, tmp_path: Path):
    job = small_job(home, tmp_path / "idx", train=900, **LONG | {"averaging": {"shards": 2}})
    with open_cluster(ClusterConfig(workers=2, worker_type="processes")) as cluster:
        results = window_on(cluster, job).results()
        seen = [next(results) for _ in range(3)]
        cluster.client.run(_die_when_read, workers=[cluster.workers[0]])
        began = monotonic()
        while isinstance(seen[-1], RoundResult):
            seen.append(next(results))
        seen += [next(results) for _ in range(3)]
        assert monotonic() - began < 300  # half of the patience
        results.close()
    assert [each.why for each in seen if isinstance(each, ClusterEvent)] == ["a worker left"]
    assert digests(seen) == alone(job, len(seen) - 1)


def _die_when_read(dask_worker: Any) -> None:
    """Have this worker die as soon as a client reads a part of a round from it, when others have read it."""
    plain = dask_worker.handlers["get_data"]

    async def get_data(comm: Any, keys: list[str], who: str | None = None, **rest: Any) -> Any:
        if who is None and any(key.startswith("round-") for key in keys):
            await sleep(0.15)
            os.kill(os.getpid(), signal.SIGKILL)
        return await plain(comm, keys=keys, who=who, **rest)

    dask_worker.handlers["get_data"] = get_data


def test_what_the_last_worker_had_is_lost(home: Home, tmp_path: Path):
    job = small_job(home, tmp_path / "idx", train=900, **LONG)
    with open_cluster(ClusterConfig(workers=1, worker_type="processes")) as cluster:
        results = window_on(cluster, job).results()
        next(results)
        kill(cluster, cluster.workers[0])
        with pytest.raises(TasksLost, match=r"the last worker left|no worker is left that may take tasks"):
            list(results)


def test_no_chain_of_results_grows_without_end(
    home: Home, tmp_path: Path, cluster_of: Callable[[int], Cluster], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(service.cluster.in_flight, "CHAIN_TASKS", 12)
    monkeypatch.setattr(service.cluster.in_flight, "CHAIN_ROUNDS", 4)
    job = small_job(home, tmp_path / "idx", epochs=10)
    cluster, schedule = cluster_of(2), RoundSchedule(job.plan)
    seen, known = [], []
    for each in DaskExecutor(cluster).run_rounds(job, job.initial_state(), job.plan.first_round(), schedule):
        seen.append(each)
        known.append(cluster.client.run_on_scheduler(_tasks))
    assert digests(seen) == alone(job)
    a_round = job.config.averaging.shards
    assert max(known) <= 12 + (AHEAD + 1) * a_round + len(cluster.workers)
    assert len(seen) > 2 * max(known) / a_round  # it is no matter of a short run


def _tasks(dask_scheduler: Any) -> int:
    return len(dask_scheduler.tasks)
