"""The main job: data, rounds, evaluation, a model in the registry."""

from prefect import flow

from flows.artifacts import TrainingView, show_report
from flows.ingest import ingest_flow
from flows.settings import task
from service.cluster import open_cluster
from service.config import ClusterConfig, TrainConfig
from service.home import Home
from service.pipeline import Published, evaluate_run, publish_run, train_run
from service.plan import plan_for
from service.registry import Registry
from service.report import markdown_report
from service.runs import RunFolder, new_run_id


@flow(name="train", description="Train a network on the cluster, measure it, and publish it as a model.")
def train_flow(
    config: TrainConfig | None = None,
    cluster: ClusterConfig | None = None,
    run: str = "",
    resume: bool = False,
    fork: str = "",
) -> Published:
    """config: what to train. cluster: where. run: a name for the run, else one is made up; resume: continue it.

    fork: start from the state of another run, RUN or RUN:CHECKPOINT.
    """
    home = Home.from_environment()
    home.prepare()
    run = run or new_run_id()
    asked = RunFolder.open(home.runs, run).config() if resume else config or TrainConfig()
    data = ingest_flow(asked.dataset)
    view = TrainingView(run, sum(1 for _ in plan_for(asked, data.train).rounds()))
    with open_cluster(cluster or ClusterConfig()) as opened:
        trained = task(train_run)(home, opened, run, None if resume else asked, view, fork)
        evaluations = task(evaluate_run)(home, opened, run)
    published = task(publish_run)(home, trained, evaluations)
    model = Registry(home.models).get(published.model, str(published.version))
    show_report(run, markdown_report(model, evaluations[max(evaluations)]))
    return published
