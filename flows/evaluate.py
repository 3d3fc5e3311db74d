"""Measure a run on the test examples."""

from functools import partial

from prefect import flow

from flows.logs import worker_logs
from flows.settings import task
from service.cluster.dask_executor import open_executor
from service.cluster.local_workers import suited_to
from service.config import ClusterConfig
from service.data import describe
from service.home import Home
from service.runs import find_run
from service.training.evaluate import evaluate_run
from service.training.metrics import Evaluation

LOCAL = ClusterConfig()


@flow(name="evaluate", description="Measure a run on the test examples, after each epoch.")
def evaluate_flow(run: str, cluster: ClusterConfig = LOCAL) -> dict[int, Evaluation]:
    """Measure a run.

    Args:
        run: The run's name, as the gallery lists it.
        cluster: Where the work is done.
    """
    home = Home.from_environment()
    config = find_run(home.runs, run).config()
    suited = partial(suited_to, (config, describe(home.store(config.dataset))))
    with worker_logs(), open_executor(cluster, suited=suited) as executor:
        return task(evaluate_run)(home, executor, run)
