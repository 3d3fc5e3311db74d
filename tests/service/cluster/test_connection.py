"""What is said of schedulers and workers that aren't there."""

import pytest
from distributed import Client, LocalCluster

from service.cluster.connection import CONNECT_SECONDS, RETURN_SECONDS, Cluster
from service.cluster.local_cluster import connected, open_cluster
from service.cluster.workers import WorkerInfo, why_none_runs
from service.config import ClusterConfig
from service.errors import ClusterError


def test_a_scheduler_that_stays_away_is_told(monkeypatch: pytest.MonkeyPatch):
    with LocalCluster(n_workers=0, dashboard_address="127.0.0.1:0") as local:
        cluster = Cluster(local.scheduler_address)
    monkeypatch.setattr("service.cluster.connection.CONNECT_SECONDS", 0.5)
    monkeypatch.setattr("service.cluster.connection.RETURN_SECONDS", 1)
    with pytest.raises(ClusterError, match="went away and did not come back within 1 s; `atelier runs resume`"):
        cluster.reconnect()


def test_an_unreachable_scheduler_and_one_without_workers_are_told(monkeypatch: pytest.MonkeyPatch):
    with (
        pytest.raises(ClusterError, match="no Dask scheduler answers"),
        open_cluster(ClusterConfig(scheduler="tcp://127.0.0.1:9")),
    ):
        pass
    monkeypatch.setattr("service.cluster.local_cluster.CONNECT_SECONDS", 1)
    monkeypatch.setattr("service.cluster.connection.CONNECT_SECONDS", 60)
    with (
        LocalCluster(n_workers=0, dashboard_address="127.0.0.1:0") as empty,
        pytest.raises(ClusterError, match="has no workers"),
        open_cluster(ClusterConfig(scheduler=empty.scheduler_address)),
    ):
        pass


def test_a_scheduler_in_this_process_is_waited_for_longer(monkeypatch: pytest.MonkeyPatch):
    """It is there for certain, and a busy machine may give it no processor for some seconds."""
    seconds = []

    def connect(address: str, timeout: float, **more: object) -> Client:
        seconds.append(timeout)
        return Client(address, timeout=timeout, **more)

    monkeypatch.setattr("service.cluster.connection.Client", connect)
    for worker_type in ("threads", "processes"):
        with open_cluster(ClusterConfig(workers=1, worker_type=worker_type)) as cluster:
            assert len(cluster.workers) == 1
            with connected(cluster.address) as other:
                assert len(other.workers) == 1
    assert seconds == [*[RETURN_SECONDS] * 3, CONNECT_SECONDS]


def test_workers_that_dask_paused_are_told_with_their_memory():
    paused = WorkerInfo("paused", 0.0, memory=230_000_000, memory_limit=250_000_000)
    running = WorkerInfo("running", 0.0, memory=1, memory_limit=2)
    assert "no workers" in why_none_runs("tcp://here", {})
    said = why_none_runs("tcp://here", {"tcp://one": paused})
    assert said.startswith("Dask paused all workers for want of memory (tcp://one holds 230 MB of 250 MB)")
    assert "and 2 more" in why_none_runs("tcp://here", {f"tcp://{number}": paused for number in range(5)})
    assert "paused" not in why_none_runs("tcp://here", {"tcp://one": paused, "tcp://two": running})
