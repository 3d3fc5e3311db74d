"""The cluster that a command works on: one that runs already, or a local one that ends with the command."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import dask
from distributed import LocalCluster
from threadpoolctl import threadpool_limits

from service.cluster.connection import CONNECT_SECONDS, LOST, Cluster
from service.config import ClusterConfig
from service.errors import ClusterError
from service.processors import usable_processors

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


@contextmanager
def open_cluster(config: ClusterConfig, *, prefers_threads: Callable[[], bool] = lambda: False) -> Iterator[Cluster]:
    """The configured cluster. A local one ends with the block.

    Args:
        config: the scheduler's address, or how many workers of which type a local cluster has.
        prefers_threads: whether a local cluster's workers are better threads, where the configuration leaves it open.

    Raises:
        ClusterError: the scheduler doesn't answer, or no worker takes tasks.
    """
    with dask.config.set(DASK_SETTINGS):
        if config.scheduler:
            with connected(config.scheduler) as cluster:
                yield cluster
            return
        uses_threads = prefers_threads() if config.worker_type == "auto" else config.worker_type == "threads"
        with (
            # Worker processes are started with one thread for BLAS, and the bits depend on that number.
            threadpool_limits(1 if uses_threads else None, user_api="blas"),
            LocalCluster(
                processes=not uses_threads,
                n_workers=config.workers or usable_processors(),
                threads_per_worker=1,
                memory_limit=0 if uses_threads else "auto",  # a thread's share would be compared with what all hold
                dashboard_address="127.0.0.1:0",
                silence_logs=logging.CRITICAL + 1,
            ) as local,
            connected(local.scheduler_address, direct=True) as cluster,
        ):
            yield cluster


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
