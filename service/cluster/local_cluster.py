"""The cluster that a command works on: one that runs already, or a local one that ends with the command."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import dask
from distributed import LocalCluster
from threadpoolctl import threadpool_limits

from service.cluster.connection import CONNECT_SECONDS, LOST, Cluster
from service.cluster.gpus import environment_of
from service.cluster.local_workers import LocalWorkers, Suited
from service.config import ClusterConfig
from service.environment.processors import usable_processors
from service.errors import ClusterError

DASK_SETTINGS = {
    "distributed.worker.memory.terminate": False,
    "distributed.comm.retry.count": 2,
    "distributed.admin.low-level-log-length": 0,
    "distributed.admin.system-monitor.interval": "5s",
    "distributed.admin.tick.interval": "500ms",
    "distributed.worker.memory.monitor-interval": "1s",
    "distributed.worker.profile.enabled": False,
    "distributed.scheduler.work-stealing-interval": "500ms",
    # Without these, every array of a sum is requested from the system anew, which took longer than the summing.
    "distributed.nanny.pre-spawn-environ.MALLOC_MMAP_THRESHOLD_": 64 << 20,
    "distributed.nanny.pre-spawn-environ.MALLOC_TRIM_THRESHOLD_": 128 << 20,
    "distributed.admin.large-graph-warning-threshold": "16GB",  # a large network's state travels with its first task
}


NEVER = logging.CRITICAL + 1
"""A level above all records."""

START_SECONDS = 60
"""How long all worker processes may take to start; a run begins with those that are there by then."""


class GpuCluster(LocalCluster):
    """A local cluster whose workers are processes with a GPU each, or with a share of one."""

    def __init__(self, gpus: tuple[str, ...], workers: int, **settings: Any) -> None:
        """Start the workers.

        Args:
            gpus: which GPUs there are; see `environment_of`.
            workers: how many there are to be.
            settings: as `LocalCluster` takes them.
        """
        self._gpus = gpus
        super().__init__(n_workers=0, memory_limit=1 / workers, **settings)
        self.scale(workers)
        with suppress(TimeoutError):
            self.wait_for_workers(workers, timeout=START_SECONDS)

    def new_worker_spec(self) -> dict[int, dict[str, Any]]:
        """A worker's name and how it is started, with the GPU that is its own. See `SpecCluster`."""
        ((number, spec),) = super().new_worker_spec().items()
        return {number: {**spec, "options": {**spec["options"], "env": environment_of(number, self._gpus)}}}


@contextmanager
def open_cluster(config: ClusterConfig, *, suited: Suited = LocalWorkers) -> Iterator[Cluster]:
    """The configured cluster. A local one ends with the block.

    Args:
        config: the scheduler's address, or how many workers of which type a local cluster has.
        suited: what a local cluster's workers are best, where the configuration leaves it open.

    Raises:
        ClusterError: the scheduler doesn't answer, or no worker takes tasks.
    """
    with dask.config.set(DASK_SETTINGS):
        if config.scheduler:
            with connected(config.scheduler) as cluster:
                yield cluster
            return
        with _local_cluster(config, suited) as local, connected(local.scheduler_address, direct=True) as cluster:
            yield cluster


@contextmanager
def _local_cluster(config: ClusterConfig, suited: Suited) -> Iterator[LocalCluster]:
    best = LocalWorkers(are_threads=True) if config.worker_type == "threads" else suited()
    settings: dict[str, Any] = {
        "threads_per_worker": 1,
        # No dashboard: nobody learns where it is, and Bokeh takes long to import. What else is served takes any port.
        "dashboard_address": None,
        "scheduler_kwargs": {"dashboard": False, "dashboard_address": "127.0.0.1:0"},
        "silence_logs": NEVER,
    }
    _silence_dask()
    # Of a slow disk, to people who never heard of such a folder; where workers are threads they warn in this process.
    warnings.filterwarnings("ignore", "Creating scratch directories", UserWarning)
    if best.gpus:
        with GpuCluster(best.gpus, config.workers or len(best.gpus), **settings) as local:
            yield local
        return
    uses_threads = best.are_threads and config.worker_type != "processes"
    settings |= {"n_workers": config.workers or usable_processors(), "processes": not uses_threads}
    settings["memory_limit"] = 0 if uses_threads else "auto"  # a thread's share would be compared with what all hold
    # Worker processes are started with one thread for BLAS, and the bits depend on that number.
    with threadpool_limits(1 if uses_threads else None, user_api="blas"), LocalCluster(**settings) as local:
        yield local


def _silence_dask() -> None:
    """Show nothing that Dask logs in this process any more.

    `silence_logs` gives a closing cluster its voice back, while connections that it cut still report that they are.
    """
    for handler in logging.getLogger("distributed").handlers:
        handler.setLevel(NEVER)


@contextmanager
def connected(address: str, *, direct: bool = False) -> Iterator[Cluster]:
    """A connection of one's own to a scheduler. Several may be open side by side.

    Args:
        address: the scheduler's address.
        direct: see `Cluster`.

    Raises:
        ClusterError: the scheduler doesn't answer, or no worker takes tasks.
    """
    cluster = Cluster(address, direct=direct)
    try:
        try:
            cluster.wait_for_worker(CONNECT_SECONDS)
        except LOST:
            raise ClusterError(f"the Dask scheduler at {address} went away while a run was to begin") from None
        yield cluster
    finally:
        cluster.close()


def check_scheduler(address: str) -> None:
    """Raise ClusterError where no scheduler answers at the address, or no worker of it takes tasks."""
    with connected(address):
        pass
