"""Clusters of real processes, each started once."""

import pickle
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import dask
import pytest
from distributed.utils import get_mp_context

import service.registry.draft
from service.cluster.connection import Cluster
from service.cluster.dask_executor import DaskExecutor
from service.cluster.local_cluster import open_cluster
from service.config import ClusterConfig

PRELOADED = ("distributed.nanny", "distributed.worker", "service.cluster", "service.data.store", "service.rounds.tasks")


@pytest.fixture(scope="session", autouse=True)
def forked_workers() -> Iterator[None]:
    """Have worker processes of local clusters forked from one that has imported what they need, to save its time.

    Otherwise they start anew, as they do where tests run the command.
    """
    with dask.config.set({"distributed.worker.multiprocessing-method": "forkserver"}):
        get_mp_context().set_forkserver_preload(list(PRELOADED))
        yield


@pytest.fixture(scope="session", autouse=True)
def pictures_drawn_once() -> Iterator[None]:
    """Have the same picture of a model drawn once: most of the time of a publication is Matplotlib's."""
    drawn: dict[bytes, bytes] = {}
    draw_anew = service.registry.draft._png

    def draw_once(draw: Callable[..., None], *what: Any) -> bytes:
        key = pickle.dumps((draw, what))
        if key not in drawn:
            drawn[key] = draw_anew(draw, *what)
        return drawn[key]

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(service.registry.draft, "_png", draw_once)
        yield


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
