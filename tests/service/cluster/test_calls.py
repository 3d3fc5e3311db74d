"""Pure calls on a cluster: they survive what rounds survive."""

import os
import signal
from contextlib import ExitStack, suppress
from pathlib import Path
from threading import Thread

import pytest

from ops.engines import Choice
from service.cluster.connection import Cluster
from service.cluster.dask_executor import DaskExecutor
from service.cluster.local_cluster import connected, open_cluster
from service.config import ClusterConfig
from service.errors import ClusterError, DataError
from service.home import Home
from tests.clusters import free_port, scheduler_and_worker, until
from tests.jobs import small_job

TWO = ClusterConfig(workers=2, worker_type="processes")


def test_results_come_in_the_order_of_the_arguments(cluster_of):
    executor = DaskExecutor(cluster_of(2))
    assert executor.map(pow, [(2, n) for n in range(20)]) == [2**n for n in range(20)]
    assert executor.map(pow, []) == []


def test_what_a_call_raises_comes_through_as_it_is(cluster_of):
    with pytest.raises(DataError, match="the third is damaged"):
        DaskExecutor(cluster_of(2)).map(_damaged, [(1,), (2,), (3,)])


def _damaged(number: int) -> int:
    if number == 3:
        raise DataError("the third is damaged")
    return number


def test_calls_of_a_worker_that_dies_are_made_again(tmp_path: Path):
    with open_cluster(TWO) as cluster:
        killer = Thread(target=_signal_first, args=(cluster, tmp_path, signal.SIGKILL))
        killer.start()
        assert DaskExecutor(cluster).map(_slow_square, [(tmp_path, n) for n in range(6)]) == [0, 1, 4, 9, 16, 25]
        killer.join()


def test_calls_of_a_worker_that_freezes_are_made_by_another(tmp_path: Path):
    with open_cluster(TWO) as cluster:
        freezer = Thread(target=_signal_first, args=(cluster, tmp_path, signal.SIGSTOP))
        freezer.start()
        try:
            assert DaskExecutor(cluster).map(_slow_square, [(tmp_path, n) for n in range(6)]) == [0, 1, 4, 9, 16, 25]
        finally:
            freezer.join()
            for path in tmp_path.glob("began-*"):
                _send(int(path.name.partition("-")[2]), signal.SIGCONT)


def test_calls_outlive_the_scheduler_and_all_workers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    for module in ("connection", "local_cluster"):  # new processes may take long to start
        monkeypatch.setattr(f"service.cluster.{module}.CONNECT_SECONDS", 60)
    monkeypatch.setattr("service.cluster.connection.RETURN_SECONDS", 120)
    port = free_port()
    with scheduler_and_worker(port) as first, connected(f"tcp://127.0.0.1:{port}") as cluster:
        results: list[list[int]] = []
        caller = Thread(target=lambda: results.append(DaskExecutor(cluster).map(_slow_square, [(tmp_path, 7)] * 3)))
        caller.start()
        until(lambda: any(tmp_path.glob("began-*")))
        for process in first:
            process.kill()
        with scheduler_and_worker(port):
            (tmp_path / "go").touch()
            caller.join(240)
    assert results == [[49, 49, 49]]


@pytest.mark.slow
def test_the_choice_of_an_engine_outlives_the_scheduler_and_all_workers(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """An evaluation begins with it, perhaps at the very moment that no worker is there."""
    for module in ("connection", "local_cluster"):
        monkeypatch.setattr(f"service.cluster.{module}.CONNECT_SECONDS", 60)
    monkeypatch.setattr("service.cluster.connection.RETURN_SECONDS", 120)
    job, port = small_job(home, tmp_path), free_port()
    with ExitStack() as cleanup:
        first = cleanup.enter_context(scheduler_and_worker(port))
        cluster = cleanup.enter_context(connected(f"tcp://127.0.0.1:{port}"))
        executor = DaskExecutor(cluster)
        choices: list[Choice] = []
        first[1].kill()
        until(lambda: not cluster.workers)
        chooser = Thread(
            target=lambda: choices.append(
                executor.choose_engine(job.config, job.network, job.step_config, job.data.path)
            )
        )
        chooser.start()
        first[0].kill()
        first[0].wait()
        cleanup.enter_context(scheduler_and_worker(port))
        chooser.join(240)
    assert [choice.engine for choice in choices] == [job.choice.engine]


def test_a_call_that_kills_its_workers_ends_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("service.cluster.dask_executor.ATTEMPTS", 0)
    with open_cluster(TWO) as cluster, pytest.raises(ClusterError, match="failed 1 times in a row"):
        DaskExecutor(cluster).map(os._exit, [(1,)])


def _slow_square(folder: Path, number: int) -> int:
    """Says which process is at work, then waits until the test lets it go on."""
    (folder / f"began-{os.getpid()}").touch()
    until((folder / "go").exists)
    return number * number


def _signal_first(cluster: Cluster, folder: Path, number: signal.Signals) -> None:
    """Send a signal to a worker that is at a call, then let all calls go on."""
    until(lambda: any(folder.glob("began-*")))
    _send(int(next(folder.glob("began-*")).name.partition("-")[2]), number)
    (folder / "go").touch()


def _send(process: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):  # it has ended
        os.kill(process, number)
