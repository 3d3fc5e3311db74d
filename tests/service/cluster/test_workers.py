"""What workers do to a run: lag, come late, come back."""

import os
import signal
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread
from time import sleep

import pytest
from distributed import Nanny

from service.cluster.dask_executor import DaskExecutor
from service.cluster.local_cluster import open_cluster
from service.cluster.quarantine import Quarantine
from service.cluster.window import RoundWindow
from service.config import ClusterConfig, from_preset
from service.home import Home
from service.rounds.schedule import RoundSchedule
from service.training.history import final_checkpoint
from service.training.loop import advance
from service.training.start import create_run
from tests.clusters import process_of, until
from tests.jobs import serial_results, small, small_job

LONG = {"model": "lenet", "resize": 28, "epochs": 12}


@contextmanager
def slow(process: int):
    """A process that runs for a fiftieth of the time."""
    stop = Event()

    def slow_down() -> None:
        while not stop.is_set():
            os.kill(process, signal.SIGSTOP)
            sleep(0.49)
            os.kill(process, signal.SIGCONT)
            sleep(0.01)

    thread = Thread(target=slow_down)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


@pytest.mark.slow
def test_a_straggler_gets_no_tasks_and_the_bits_stay(home: Home, tmp_path: Path):
    job = small_job(home, tmp_path / "idx", train=900, **LONG)
    *_, alone = serial_results(job)
    with open_cluster(ClusterConfig(workers=2)) as cluster:
        folder, job = create_run(home, DaskExecutor(cluster), from_preset(small(**LONG)), "slow")
        entries = advance(DaskExecutor(cluster), folder, job)
        seen = [next(entries) for _ in range(6)]
        with slow(process_of(cluster, cluster.workers[0])):
            seen += entries
    assert final_checkpoint(folder).state.digest == alone.digest
    whys = {entry["why"] for entry in seen if entry["kind"] == "disturbed"}
    assert whys & {"a worker lags behind", "an answer is overdue"}


@pytest.mark.slow
def test_a_worker_that_joins_is_warmed_up_before_it_is_preferred(home: Home, tmp_path: Path):
    job = small_job(home, tmp_path / "idx", train=900, **LONG)
    warm: set[str] = set()
    with open_cluster(ClusterConfig(workers=1)) as cluster:
        (old,) = cluster.workers
        start, first = job.initial_state(), job.plan.first_round()
        window = RoundWindow(
            *(cluster, job, start, first, RoundSchedule(job.plan)), quarantine=Quarantine(), warm=warm, patience_s=60
        )
        results = window.results()
        next(results)
        until(lambda: warm == {old})
        joining = cluster.client.sync(_join, cluster.address)
        (new,) = set(cluster.client.nthreads()) - {old}
        digests = [result.digest for result in results]
        assert warm == {old, new}
        cluster.client.sync(joining.close)
    assert digests == [result.digest for result in serial_results(job, start)][1:]


def test_a_connection_that_dask_made_anew_is_replaced_by_one_that_hears_of_workers():
    with open_cluster(ClusterConfig(workers=1)) as cluster:
        client, lost = cluster.client, cluster.client.scheduler_comm
        client.loop.add_callback(lost.comm.abort)
        until(lambda: client.scheduler_comm not in (None, lost) and client.status == "running")
        assert not cluster.is_connected
        cluster.reconnect()
        assert cluster.is_connected
        (worker,) = cluster.workers
        os.kill(process_of(cluster, worker), signal.SIGKILL)
        assert cluster.membership.worker_left.wait(240)


async def _join(address: str) -> Nanny:
    return await Nanny(address, nthreads=1, dashboard_address=None)
