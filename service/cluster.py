"""A Dask cluster to work on: one that runs already, or a local one of single-threaded processes."""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dask
from distributed import Client, LocalCluster

from ops.engines import Choice, choose
from ops.errors import Unsupported
from ops.network import Network
from ops.recipe import Recipe
from service.config import ClusterConfig, TrainConfig
from service.errors import ClusterError, InvalidInput

CONNECT_SECONDS = 5
"""How long a scheduler has to answer, and to have a worker."""


@contextmanager
def open_cluster(cluster: ClusterConfig) -> Iterator[Client]:
    """A client of the cluster that is asked for; a local cluster ends with the block.

    Raises ClusterError where the scheduler doesn't answer or has no workers.
    """
    if cluster.scheduler:
        with _connect(cluster.scheduler) as client:
            yield client
        return
    with (
        dask.config.set({"distributed.worker.memory.terminate": False}),
        LocalCluster(
            n_workers=cluster.workers or os.cpu_count() or 1,
            threads_per_worker=1,
            dashboard_address="127.0.0.1:0",
            silence_logs=logging.CRITICAL,
        ) as local,
        Client(local) as client,
    ):
        yield client


def check_scheduler(address: str) -> None:
    """Raise ClusterError where no scheduler answers at the address, or it has no workers."""
    _connect(address).close()


def settle_engine(client: Client, config: TrainConfig, network: Network, recipe: Recipe, store: Path) -> Choice:
    """What the configured engine comes to on the cluster's workers; they must agree, and see the data.

    Raises ClusterError where a worker can't read the store or they differ, InvalidInput where no worker can run it.
    """
    answers = client.run(_probe, config, network, recipe, store)
    for worker, (visible, _, _) in answers.items():
        if not visible:
            raise ClusterError(f"worker {worker} can't see {store}: give all workers the same ATELIER_HOME")
    problems = {problem for _, problem, _ in answers.values() if problem}
    if problems:
        raise InvalidInput(min(problems))
    choices = {choice for _, _, choice in answers.values() if choice is not None}
    if len({(choice.engine, choice.device) for choice in choices}) > 1:
        found = ", ".join(sorted(f"{choice.engine} on {choice.device}" for choice in choices))
        raise ClusterError(f"the workers differ ({found}): name one with --engine and --device")
    return min(choices, key=lambda choice: choice.why)


def _connect(address: str) -> Client:
    try:
        client = Client(address, timeout=CONNECT_SECONDS)
    except OSError:
        raise ClusterError(f"no Dask scheduler answers at {address} within {CONNECT_SECONDS} s") from None
    try:
        client.wait_for_workers(1, timeout=CONNECT_SECONDS)
    except TimeoutError:
        client.close()
        raise ClusterError(f"the scheduler at {address} has no workers: start one with `dask worker`") from None
    return client


def _probe(config: TrainConfig, network: Network, recipe: Recipe, store: Path) -> tuple[bool, str, Choice | None]:
    """Runs on each worker: does it see the store, what is wrong, which engine would it take."""
    visible = (store / "zarr.json").is_file()
    try:
        return visible, "", choose(network, recipe, engine=config.engine, device=config.device)
    except Unsupported as error:
        return visible, str(error), None
