"""Workers whose bits would differ get no tasks, whenever they join."""

import platform
from pathlib import Path

import pytest

from ops.engines import Choice
from ops.engines.fingerprint import Fingerprint, fingerprint_of
from service.cluster.dask_executor import DaskExecutor
from service.cluster.fingerprints import common_fingerprint
from service.cluster.local_cluster import open_cluster
from service.config import ClusterConfig, from_preset
from service.errors import ClusterError
from service.home import Home
from service.rounds.serial_executor import SerialExecutor
from service.training.history import final_checkpoint
from service.training.loop import advance
from service.training.start import create_run
from tests.clusters import until, worker_process
from tests.jobs import serial_results, small, small_job

WIDE, NARROW = Fingerprint("simd", "x86_64", 16, "k"), Fingerprint("simd", "x86_64", 8, "k")
OTHER_BLAS = {"OPENBLAS_CORETYPE": "Nehalem"}
"""Has OpenBLAS compute as on another processor."""

ONE = ClusterConfig(workers=1, worker_type="processes")

other_blas = pytest.mark.skipif(platform.machine() != "x86_64", reason="OpenBLAS has kernels of another kind on x86")


def test_a_new_run_takes_what_most_workers_are():
    assert common_fingerprint({"a": WIDE, "b": NARROW, "c": NARROW}, None) == NARROW
    assert common_fingerprint({"a": NARROW, "b": WIDE}, None) == WIDE


def test_a_run_goes_on_with_what_it_began_with_or_says_at_once_that_nobody_has_it():
    assert common_fingerprint({"a": WIDE, "b": NARROW, "c": NARROW}, WIDE) == WIDE
    with pytest.raises(ClusterError, match=r"computed by simd on x86_64 with 16 lanes, .* all workers .* 8 lanes"):
        common_fingerprint({"a": NARROW}, WIDE)
    choice = Choice("array", "cpu")
    assert SerialExecutor().match_fingerprint(choice) == fingerprint_of(choice)
    with pytest.raises(ClusterError, match=r"computed by simd .* this process is array"):
        SerialExecutor().match_fingerprint(choice, WIDE)


@other_blas
def test_a_worker_that_differs_gets_no_tasks_and_is_named(home: Home, tmp_path: Path):
    given = small(epochs=4)
    job = small_job(home, tmp_path / "idx", epochs=4)
    *_, alone = serial_results(job)
    with open_cluster(ONE) as cluster:
        first = set(cluster.workers)
        with worker_process(cluster.address, **OTHER_BLAS):
            until(lambda: len(cluster.workers) == 2)
            executor = DaskExecutor(cluster)
            folder, job = create_run(home, executor, from_preset(given), "run")
            entries = list(advance(executor, folder, job))
            (named,) = [entry["why"] for entry in entries if "other bits" in entry.get("why", "")]
            (other,) = set(cluster.workers) - first
            assert (cluster.num_workers, executor.num_workers) == (2, 1)
    assert named.startswith(f"worker {other} gets no tasks: it would compute other bits (array on x86_64, kernels ")
    assert final_checkpoint(folder).state.digest == alone.digest
    assert folder.facts()["fingerprint"]["engine"] == "array"


@other_blas
def test_so_it_is_when_such_a_worker_joins_in_mid_run(home: Home, tmp_path: Path):
    given = {"epochs": 400, "averaging": {"average_every": 1}}
    job = small_job(home, tmp_path / "idx", **given)
    with open_cluster(ONE) as cluster:
        executor, first = DaskExecutor(cluster), set(cluster.workers)
        folder, job = create_run(home, executor, from_preset(small(**given)), "run")
        entries = advance(executor, folder, job)
        next(entries)
        with worker_process(cluster.address, **OTHER_BLAS):
            named = next(why for entry in entries if "other bits" in (why := entry.get("why", "")))
            (other,) = set(cluster.workers) - first
            more = [next(entries) for _ in range(20)]
        entries.close()
    assert f"worker {other} gets no tasks: it would compute other bits" in named
    logged = [entry["digest"] for entry in folder.entries() if entry["kind"] == "round"]
    assert len(more) == 20
    assert logged == [result.digest for result, _ in zip(serial_results(job), logged, strict=False)]
