"""Clusters of real processes, each started once."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from service.cluster.connection import Cluster
from service.cluster.dask_executor import DaskExecutor
from service.cluster.local_cluster import open_cluster
from service.config import ClusterConfig


@pytest.fixture(scope="session")
def cluster_of() -> Iterator[Callable[[int], Cluster]]:
    """A function from a number of workers to a cluster that has so many."""
    with ExitStack() as stack:
        clusters: dict[int, Cluster] = {}

        def get(workers: int) -> Cluster:
            if workers not in clusters:
                clusters[workers] = stack.enter_context(open_cluster(ClusterConfig(workers=workers)))
            return clusters[workers]

        yield get


@pytest.fixture
def executor_of(cluster_of: Callable[[int], Cluster]) -> Callable[[int], DaskExecutor]:
    """A function from a number of workers to an executor on a cluster that has so many."""
    return lambda workers: DaskExecutor(cluster_of(workers))
