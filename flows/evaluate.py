"""Measure a run after each of its epochs."""

from prefect import flow

from flows.settings import task
from service.cluster import open_cluster
from service.config import ClusterConfig
from service.evaluation import Evaluation
from service.home import Home
from service.pipeline import evaluate_run


@flow(name="evaluate", description="Measure a run on the test examples, after each epoch.")
def evaluate_flow(run: str, cluster: ClusterConfig | None = None) -> dict[int, Evaluation]:
    """run: the run's id. cluster: where the work is done."""
    with open_cluster(cluster or ClusterConfig()) as opened:
        return task(evaluate_run)(Home.from_environment(), opened, run)
