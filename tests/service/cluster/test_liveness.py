"""Workers that keep a run waiting, with good reason or without."""

import os
import signal
from pathlib import Path
from time import sleep

import pytest

import service.cluster.waiting
from service.cluster.connection import Cluster
from service.cluster.liveness import waits_for_other_runs
from service.cluster.local_cluster import connected, open_cluster
from service.cluster.quarantine import Quarantine
from service.cluster.submission import SubmittedTasks
from service.cluster.window import RoundWindow
from service.cluster.workers import silent_workers
from service.config import ClusterConfig
from service.home import Home
from service.rounds.schedule import RoundSchedule
from tests.clusters import process_of, until
from tests.jobs import serial_results, small_job


def test_a_wait_for_tasks_of_other_runs_is_no_failure(home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    job, release = small_job(home, tmp_path / "idx", epochs=1), tmp_path / "release"

    def look(cluster: Cluster, tasks: SubmittedTasks) -> bool:
        """Called when the patience is at its end; then the other run's task may end too."""
        waits = waits_for_other_runs(cluster, tasks)
        release.touch()
        window.patience_s = 240
        return waits

    monkeypatch.setattr(service.cluster.waiting, "waits_for_other_runs", look)
    with open_cluster(ClusterConfig(workers=1)) as cluster, connected(cluster.address) as other:
        foreign = other.client.submit(_wait_for, release, pure=False)
        until(lambda: any(cluster.processing().values()))
        window = RoundWindow(
            *(cluster, job, job.initial_state(), job.plan.first_round(), RoundSchedule(job.plan)),
            quarantine=Quarantine(),
            warm=set(),
            patience_s=3,
        )
        assert [result.digest for result in window.results()] == [result.digest for result in serial_results(job)]
        foreign.result(timeout=240)
    assert release.exists()


def _wait_for(path: Path) -> None:
    while not path.exists():
        sleep(0.02)


def test_a_frozen_worker_is_silent_and_no_other_is():
    with open_cluster(ClusterConfig(workers=2)) as cluster:
        assert silent_workers(cluster.worker_info()) == frozenset()
        frozen = cluster.workers[0]
        process = process_of(cluster, frozen)
        os.kill(process, signal.SIGSTOP)
        try:
            until(lambda: bool(silent_workers(cluster.worker_info())))
            assert silent_workers(cluster.worker_info()) == {frozen}
        finally:
            os.kill(process, signal.SIGCONT)
