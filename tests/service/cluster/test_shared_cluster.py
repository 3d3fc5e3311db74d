"""A run whose cluster also works for others."""

import os
import signal
from pathlib import Path
from time import monotonic, sleep

from service.cluster.connection import connected, open_cluster
from service.cluster.in_flight import Window
from service.config import ClusterConfig
from service.home import Home
from service.rounds.schedule import RoundSchedule
from tests.clusters import process_of
from tests.jobs import serial_results, small_job


def test_a_wait_for_the_work_of_others_is_no_disturbance(home: Home, tmp_path: Path):
    job = small_job(home, tmp_path / "idx", epochs=1)
    start, first = job.initial_state(), job.plan.first_round()
    expected = [report.digest for report in serial_results(job, start)]
    with open_cluster(ClusterConfig(workers=1)) as cluster, connected(cluster.address) as others:
        others.client.gather(others.client.submit(sleep, 0))
        foreign = others.client.map(sleep, [1.6] * 3, pure=False)
        began = monotonic()
        schedule = RoundSchedule(job.plan, {})
        window = Window(cluster, job, start, first, schedule, avoided=frozenset, warm=set(), patience=1.0)
        assert [report.digest for report in window.reports()] == expected
        assert monotonic() - began > 3.0  # three times the patience
        others.client.gather(foreign)


def test_a_worker_that_is_frozen_is_silent_and_no_other():
    with open_cluster(ClusterConfig(workers=2)) as cluster:
        assert cluster.silent_workers() == frozenset()
        frozen = cluster.workers[0]
        process = process_of(cluster, frozen)
        os.kill(process, signal.SIGSTOP)
        try:
            deadline = monotonic() + 20
            while not cluster.silent_workers() and monotonic() < deadline:
                sleep(0.2)
            assert cluster.silent_workers() == {frozen}
        finally:
            os.kill(process, signal.SIGCONT)
