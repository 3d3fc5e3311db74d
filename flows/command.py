"""The `atelier` command: the service's command line, with its pipelines run as Prefect flows."""

from pathlib import Path

from service.cli import Pipelines, command
from service.config import ClusterConfig, TrainConfig
from service.data import DatasetInfo
from service.evaluation import Evaluation
from service.home import Home
from service.pipeline import Published


def main() -> None:
    """Run the command line. Prefect is imported only by the commands that use it."""
    command(Pipelines(ingest=_ingest, train=_train, evaluate=_evaluate, deploy=_deploy))


def _ingest(home: Home, dataset: str, source: Path | None) -> DatasetInfo:
    _settle(home)
    from flows.ingest import ingest_flow

    return ingest_flow(dataset, str(source or ""))


def _train(home: Home, config: TrainConfig | None, cluster: ClusterConfig, run: str) -> Published:
    _settle(home)
    from flows.train import train_flow

    return train_flow(config, cluster, run, resume=config is None)


def _evaluate(home: Home, run: str, cluster: ClusterConfig) -> dict[int, Evaluation]:
    _settle(home)
    from flows.evaluate import evaluate_flow

    return evaluate_flow(run, cluster)


def _deploy(home: Home) -> None:
    home.prepare()
    from flows.deployments import serve_forever

    serve_forever()


def _settle(home: Home) -> None:
    from flows.embedded import settle_this_process

    settle_this_process(home.root)
