"""Spans on a cluster: whatever the grain, and whatever dies or joins in mid-span, the bits are the same."""

import os
import signal
from itertools import islice
from pathlib import Path

import pytest
from distributed import Nanny

import service.cluster.span_window
from service.cluster.connection import Cluster
from service.cluster.dask_executor import DaskExecutor, Grain
from service.cluster.local_cluster import open_cluster
from service.cluster.span_window import num_threads
from service.config import ClusterConfig
from service.home import Home
from service.rounds.executor import ClusterEvent
from service.rounds.job import Job
from service.rounds.schedule import RoundSchedule
from service.rounds.tasks import RoundResult
from tests.clusters import process_of
from tests.jobs import serial_results, small_job

LONG = {"model": "lenet", "resize": 28, "epochs": 8}


def rounds_on(cluster: Cluster, job: Job, grain: Grain = "auto"):
    schedule = RoundSchedule(job.plan)
    return DaskExecutor(cluster, grain).run_rounds(job, job.initial_state(), schedule.after(None), schedule)


def last_digests(seen: list[RoundResult | ClusterEvent]) -> dict[int, str]:
    """The digest of each round, by its number; a round that came again must have come out the same."""
    digests: dict[int, str] = {}
    for each in seen:
        if isinstance(each, RoundResult):
            assert digests.setdefault(each.round.number, each.digest) == each.digest
    return digests


@pytest.mark.parametrize("grain", ["shard", "span"])
@pytest.mark.parametrize("max_rounds", [1, 1000])
def test_every_grain_gives_the_same_rounds(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, grain: Grain, max_rounds: int
):
    monkeypatch.setattr(service.cluster.span_window, "MAX_ROUNDS", max_rounds)
    job = small_job(home, tmp_path / "idx", averaging={"shards": 12, "outer_momentum": 0.5})
    with open_cluster(ClusterConfig(workers=2, worker_type="threads")) as cluster:
        results = [each for each in rounds_on(cluster, job, grain) if isinstance(each, RoundResult)]
    assert [result.digest for result in results] == [result.digest for result in serial_results(job)]


def test_one_worker_takes_whole_spans(home: Home, tmp_path: Path):
    job = small_job(home, tmp_path / "idx", epochs=30)
    expected = list(serial_results(job))
    with open_cluster(ClusterConfig(workers=1, worker_type="threads")) as cluster:
        results = list(rounds_on(cluster, job))
    assert [result.digest for result in results] == [result.digest for result in expected]
    ends = [result.round.last == job.plan.steps_per_epoch for result in results]
    states = [result.state is not None for result in results]
    assert all(state for state, end in zip(states, ends, strict=True) if end)  # every epoch can be checkpointed
    assert sum(states) < len(results)


def test_workers_that_are_threads_of_one_process_share_each_span(home: Home, tmp_path: Path):
    job = small_job(home, tmp_path / "idx", epochs=30, engine="simd")
    assert num_threads(job, ["inproc://host/1/2", "inproc://host/1/3", "inproc://host/1/4"]) == 3
    with open_cluster(ClusterConfig(workers=2, worker_type="threads")) as cluster:
        assert num_threads(job, cluster.workers) == 2
        results = [each for each in rounds_on(cluster, job) if isinstance(each, RoundResult)]
    assert [result.digest for result in results] == [result.digest for result in serial_results(job)]
    assert any(result.state is None for result in results)  # only spans leave states out of a small network's rounds


def test_spans_do_not_suit_workers_that_could_compute_side_by_side(home: Home, tmp_path: Path):
    simd, array = (small_job(home, tmp_path / "idx", engine=engine) for engine in ("simd", "array"))
    processes = ["tcp://127.0.0.1:1001", "tcp://127.0.0.1:1002"]
    assert [num_threads(simd, workers) for workers in ([], processes[:1], processes)] == [0, 1, 0]
    assert num_threads(array, ["inproc://host/1/2", "inproc://host/1/3"]) == 0  # its steps hold Python's lock


def test_a_worker_killed_in_mid_span_costs_no_bit(home: Home, tmp_path: Path):
    job = small_job(home, tmp_path / "idx", train=900, **LONG)
    expected = {result.round.number: result.digest for result in serial_results(job)}
    with open_cluster(ClusterConfig(workers=1, worker_type="processes")) as cluster:
        results = rounds_on(cluster, job)
        seen = [next(results) for _ in range(5)]
        os.kill(process_of(cluster, cluster.workers[0]), signal.SIGKILL)
        seen += results
    whys = {each.why for each in seen if isinstance(each, ClusterEvent)}
    assert whys & {"a worker left", "no worker is left that may take tasks"}
    assert last_digests(seen) == expected


def test_a_worker_that_joins_gets_shards_of_rounds(home: Home, tmp_path: Path):
    job = small_job(home, tmp_path / "idx", train=900, **LONG | {"epochs": 60})
    with open_cluster(ClusterConfig(workers=1, worker_type="processes")) as cluster:
        results = rounds_on(cluster, job)
        seen = [next(results)]
        joined = cluster.client.sync(_join, cluster.address)
        for each in results:
            seen.append(each)
            if isinstance(each, RoundResult) and each.quickest.worker != each.slowest.worker:
                break
        else:
            pytest.fail("the worker that joined took no task")
        results.close()
        cluster.client.sync(joined.close)
    found = last_digests(seen)
    assert found == {result.round.number: result.digest for result in islice(serial_results(job), len(found))}


async def _join(address: str) -> Nanny:
    return await Nanny(address, nthreads=1, dashboard_address=None)
