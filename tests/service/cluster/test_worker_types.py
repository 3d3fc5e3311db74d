"""A local cluster's workers, as threads of this process or as processes of their own."""

import logging
import subprocess
import sys
from pathlib import Path

import pytest
from threadpoolctl import threadpool_info

from service.cluster.dask_executor import open_executor
from service.cluster.local_cluster import open_cluster
from service.cluster.local_workers import LocalWorkers
from service.config import ClusterConfig, from_preset
from service.data import describe
from service.errors import Cancelled
from service.home import Home
from service.rounds.job import releases_gil
from service.training.evaluate import evaluate_run
from service.training.history import final_checkpoint
from service.training.loop import advance
from service.training.resume import reopen_run
from service.training.start import create_run
from tests.jobs import serial_results, small, small_job

THREADS = ClusterConfig(workers=2, worker_type="threads")


@pytest.mark.parametrize("engine", ["array", "simd"])
def test_threads_end_in_the_bits_of_a_process_alone(home: Home, tmp_path: Path, engine: str):
    given = {"engine": engine, "model": "lenet", "resize": 28, "optimizer": {"momentum": 0.5}}
    job = small_job(home, tmp_path / "idx", **given)
    *_, alone = serial_results(job)
    with open_executor(THREADS) as executor:
        cluster = executor.cluster
        assert cluster.has_thread_workers
        # each would be held to its share of what the whole process takes
        limits = cluster.client.run(lambda dask_worker: dask_worker.memory_manager.memory_limit)
        assert set(limits.values()) == {None}
        assert len(cluster.workers) == 2
        folder, job = create_run(home, executor, from_preset(small(**given)), "run")
        kinds = {entry["kind"] for entry in advance(executor, folder, job)}
        # On a busy machine a worker may lag behind; so few steps leave the loss where it was.
        assert kinds - {"disturbed", "plateau"} == {"begin", "round", "epoch", "end"}
        assert evaluate_run(home, executor, "run")[1].examples == 60
    assert final_checkpoint(folder).state.digest == alone.digest


def test_a_run_begun_by_threads_is_ended_by_processes(home: Home, tmp_path: Path, executor_of):
    job = small_job(home, tmp_path / "idx")
    *_, alone = serial_results(job)
    with open_executor(THREADS) as executor:
        folder, begun = create_run(home, executor, from_preset(small()), "run")
        entries = advance(executor, folder, begun)
        next(entries)
        folder.request("pause")
        with pytest.raises(Cancelled):
            list(entries)
    for _ in advance(executor_of(2), folder, reopen_run(home, executor_of(2), folder)):
        pass
    assert final_checkpoint(folder).state.digest == alone.digest


def test_what_a_worker_logs_arrives_once(home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    logged: list[str] = []
    logger, handler = logging.getLogger("service"), logging.Handler()
    monkeypatch.setattr(handler, "emit", lambda record: logged.append(record.getMessage()))
    monkeypatch.setattr(logger, "handlers", [handler])
    small_job(home, tmp_path / "idx", train=270)
    before = logger.level
    logger.setLevel(logging.INFO)
    try:
        with open_executor(THREADS) as executor:
            folder, job = create_run(home, executor, from_preset(small()), "run")
            for _ in advance(executor, folder, job):
                pass
    finally:
        logger.setLevel(before)
    assert sum("270 examples" in message for message in logged) == 1


def test_blas_takes_one_thread_while_workers_are_threads():
    with open_cluster(THREADS):
        assert {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"} == {1}


def test_threads_are_for_engines_that_leave_python_free(home: Home, tmp_path: Path):
    job = small_job(home, tmp_path / "idx")
    data = describe(home.store("blobs"))
    assert not releases_gil(job.config, data)
    assert releases_gil(job.config.model_copy(update={"engine": "auto"}), data)
    assert not releases_gil(job.config.model_copy(update={"engine": "cuda"}), data)
    with open_cluster(
        ClusterConfig(workers=1, worker_type="processes"), suited=lambda: LocalWorkers(are_threads=True)
    ) as cluster:
        assert not cluster.has_thread_workers


def test_local_clusters_take_any_port_and_show_nothing_there():
    program = (
        "import sys; from service.cluster.local_cluster import open_cluster; "
        "from service.config import ClusterConfig\n"
        "config = ClusterConfig(workers=1, worker_type='threads')\n"
        "with open_cluster(config) as first, open_cluster(config) as second:\n"
        "    ports = [cluster.client.scheduler_info()['services']['dashboard'] for cluster in (first, second)]\n"
        "assert 8787 not in ports, ports\n"
        "assert 'bokeh' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-W", "error:Port:UserWarning", "-c", program], check=True)
