"""Clusters of real processes, each started once."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from distributed import Client

from service.cluster import open_cluster
from service.config import ClusterConfig


@pytest.fixture(scope="session")
def cluster_of() -> Iterator[Callable[[int], Client]]:
    """A function from a number of workers to a client of a cluster that has so many."""
    with ExitStack() as stack:
        clients: dict[int, Client] = {}

        def get(workers: int) -> Client:
            if workers not in clients:
                clients[workers] = stack.enter_context(open_cluster(ClusterConfig(workers=workers)))
            return clients[workers]

        yield get
