"""What tests do to clusters of real processes."""

import os
from collections.abc import Callable
from time import monotonic, sleep

from service.cluster.connection import Cluster


def process_of(cluster: Cluster, worker: str) -> int:
    """The process id of a worker, by its address."""
    process: int = cluster.client.run(os.getpid, workers=[worker])[worker]
    return process


def until(is_so: Callable[[], bool], seconds: float = 60) -> None:
    """Wait until something is so; it must be within a generous time."""
    deadline = monotonic() + seconds
    while not is_so():
        assert monotonic() < deadline
        sleep(0.01)
