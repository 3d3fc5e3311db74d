"""What the parts of a round cost on this machine: measured one by one, to reckon with fleets that it hasn't got."""

import math
import pickle
from collections.abc import Callable
from dataclasses import dataclass
from statistics import fmean, stdev
from time import perf_counter, process_time

import numpy as np

from ops.engines import Choice
from ops.engines.base import Replica
from service.cluster.local_cluster import open_cluster
from service.config import ClusterConfig, TrainConfig
from service.data import describe
from service.home import Home
from service.rounds.averaging import FAN_IN, apply_average, partial_sum
from service.rounds.job import Job
from service.rounds.plan import Round
from service.rounds.shard_update import ShardUpdate
from service.rounds.tasks import shard_update

TASKS = 2000
ROUNDS = 30


@dataclass(frozen=True)
class Costs:
    """Seconds and bytes.

    control_s: of the processor of the process that holds client and scheduler, a task. worker_s: of a worker, a task
    that does nothing. step_s: an example of a step. step_spread: standard deviation of a task's time over its mean.
    fold_s: one shard's result folded into a sum. join_s: the state worked out from the sum.
    contribution_bytes, partial_bytes, state_bytes: what is sent.
    """

    control_s: float
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
    control_s, worker_s = _task_costs()
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
        control_s=control_s,
        worker_s=worker_s,
        step_s=fmean(typical),
        step_spread=stdev(typical) / fmean(typical),
        fold_s=fold_s,
        join_s=_seconds(lambda: apply_average(whole, job.strategy)),
        contribution_bytes=len(pickle.dumps(parts[1])),
        partial_bytes=len(pickle.dumps(partial_sum(parts[1:]))),
        state_bytes=len(pickle.dumps(apply_average(whole, job.strategy))),
    )


def _task_costs() -> tuple[float, float]:
    """Processor time of client and scheduler, and wall time of one worker, a task that does nothing."""
    with open_cluster(ClusterConfig(workers=1)) as cluster:
        client = cluster.client
        client.gather(client.map(math.sqrt, range(100), pure=False))
        before, began = process_time(), perf_counter()
        tasks = [client.submit(math.sqrt, n, pure=False, key=f"nothing-{n}") for n in range(TASKS)]
        client.gather(tasks)
        return (process_time() - before) / TASKS, (perf_counter() - began) / TASKS


def _seconds(function: Callable[[], object]) -> float:
    """The shortest of several calls."""
    times = []
    for _ in range(20):
        began = perf_counter()
        function()
        times.append(perf_counter() - began)
    return min(times)
