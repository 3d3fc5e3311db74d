"""What the parts of a round cost on this machine: measured one by one, to reckon with fleets that it hasn't got."""

import json
import pickle
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, stdev
from tempfile import TemporaryDirectory
from time import monotonic, perf_counter, process_time, sleep

import numpy as np

from ops.engines import Choice
from ops.engines.base import Replica
from service.cluster.connection import Cluster
from service.cluster.local_cluster import connected
from service.config import TrainConfig
from service.data import describe
from service.home import Home
from service.rounds.averaging import FAN_IN, apply_average, partial_sum
from service.rounds.job import Job
from service.rounds.plan import Round
from service.rounds.shard_update import ShardUpdate
from service.rounds.tasks import shard_update

TASKS, AT_ONCE = 4000, 500
"""How many tasks are measured, and how many are submitted as one message: about a round's."""

START_SECONDS = 60
"""How long a scheduler may take to say where it is."""

ROUNDS = 30


@dataclass(frozen=True)
class Costs:
    """Seconds and bytes.

    scheduler_s, client_s, worker_s: processor time of each of these, a task that does nothing. step_s: an example of a
    step. step_spread: standard deviation of a task's time over its mean. fold_s: one shard's result folded into a sum.
    join_s: the state worked out from the sum. contribution_bytes, partial_bytes, state_bytes: what is sent.
    """

    scheduler_s: float
    client_s: float
    worker_s: float
    step_s: float
    step_spread: float
    fold_s: float
    join_s: float
    contribution_bytes: int
    partial_bytes: int
    state_bytes: int


def measure_costs(home: Home, config: TrainConfig, examples_a_step: int) -> Costs:
    """Measure with the network, step configuration and data of a configuration, in this process and on one worker."""
    scheduler_s, client_s, worker_s = _task_costs()
    job = Job(config, describe(home.store(config.dataset)), Choice("simd", "cpu"))
    seconds, steps = [], 40
    round_ = Round(0, 0, 0, steps, max(1, config.batch_size // examples_a_step))
    start = job.initial_state()
    for shard in range(ROUNDS):
        done = shard_update(job, round_, shard % round_.shards, start)
        seconds.append(done.stats.seconds / done.stats.examples)
    seconds.sort()
    typical = seconds[: -ROUNDS // 10]  # the slowest tenth includes the first call, which loads data and kernels
    rng = np.random.default_rng(0)
    size = job.network.num_parameters
    moving = job.config.optimizer.momentum > 0
    vectors = rng.normal(size=(FAN_IN, size)).astype(np.float32)
    resting = np.zeros(size, np.float32)
    parts = [
        ShardUpdate(
            Replica(theta, theta if moving else resting), done.stats, start.without_velocity() if k == 0 else None
        )
        for k, theta in enumerate(vectors)
    ]
    fold_s = _seconds(lambda: partial_sum(parts)) / FAN_IN
    whole = partial_sum(parts)
    return Costs(
        scheduler_s=scheduler_s,
        client_s=client_s,
        worker_s=worker_s,
        step_s=fmean(typical),
        step_spread=stdev(typical) / fmean(typical),
        fold_s=fold_s,
        join_s=_seconds(lambda: apply_average(whole, job.strategy)),
        contribution_bytes=len(pickle.dumps(parts[1])),
        partial_bytes=len(pickle.dumps(partial_sum(parts[1:]))),
        state_bytes=len(pickle.dumps(apply_average(whole, job.strategy))),
    )


def _task_costs() -> tuple[float, float, float]:
    """Processor time of scheduler, client and worker, a task that does nothing but take a result of another."""
    with _fleet_of_one() as cluster:
        client = cluster.client
        before = client.submit(float, 1)

        def times() -> tuple[float, float, float]:
            (worker,) = client.run(process_time).values()
            return client.run_on_scheduler(process_time), process_time(), worker

        def some(name: str) -> None:
            keys = [f"{name}-{number}" for number in range(AT_ONCE)]
            client.gather(client.map(_nothing, range(AT_ONCE), before=before, key=keys, pure=False))

        some("first")
        began = times()
        for turn in range(TASKS // AT_ONCE):
            some(f"turn-{turn}")
        scheduler, own, worker = ((now - then) / TASKS for now, then in zip(times(), began, strict=True))
        return scheduler, own, worker


def _nothing(number: int, before: float) -> float:
    return number * before


@contextmanager
def _fleet_of_one() -> Iterator[Cluster]:
    """A scheduler and a worker as processes of their own, as on a fleet, and a connection to them."""
    with TemporaryDirectory() as folder:
        found = Path(folder, "scheduler.json")
        common = ("--scheduler-file", str(found), "--no-dashboard")
        scheduler = _process("dask_scheduler", "--host", "127.0.0.1", "--port", "0", *common)
        worker = _process("dask_worker", "--nthreads", "1", "--no-nanny", *common)
        try:
            deadline = monotonic() + START_SECONDS
            while not (found.is_file() and found.stat().st_size) and monotonic() < deadline:
                sleep(0.05)
            with connected(json.loads(found.read_text())["address"]) as cluster:
                yield cluster
        finally:
            for process in (worker, scheduler):
                process.kill()
                process.wait()


def _process(module: str, *words: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(  # noqa: S603 -- our own words
        [sys.executable, "-m", f"distributed.cli.{module}", *words], stderr=subprocess.DEVNULL
    )


def _seconds(function: Callable[[], object]) -> float:
    """The shortest of several calls."""
    times = []
    for _ in range(20):
        began = perf_counter()
        function()
        times.append(perf_counter() - began)
    return min(times)
