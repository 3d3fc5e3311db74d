"""What tests do to clusters of real processes."""

import os

from service.cluster.connection import Cluster


def process_of(cluster: Cluster, worker: str) -> int:
    """The process id of a worker, by its address."""
    process: int = cluster.client.run(os.getpid, workers=[worker])[worker]
    return process
