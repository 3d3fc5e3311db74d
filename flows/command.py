"""The `atelier` command: the service's command line, with its pipelines run as Prefect flows."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from flows.embedded import SERVING, prefect_server, settle
from service.cli import Pipelines, command
from service.config import ClusterConfig, TrainConfig
from service.data import DatasetInfo
from service.home import Home
from service.search.study import Study
from service.search.sweep import Result, Sweep
from service.training.evaluation import Evaluation
from service.training.stages import Published
from service.training.warm_start import WarmStart


def main() -> None:
    """Run the command line. Prefect is imported only by the commands that use it."""
    command(Pipelines(ingest=_ingest, train=_train, evaluate=_evaluate, sweep=_sweep, study=_study, deploy=_deploy))


def _ingest(home: Home, dataset: str, source: Path | None) -> DatasetInfo:
    with _prefect(home):
        from flows.ingest import ingest_flow

        return ingest_flow(dataset, str(source or ""))


def _train(
    home: Home, config: TrainConfig | None, cluster: ClusterConfig, run: str, warm_start: WarmStart
) -> Published:
    with _prefect(home):
        from flows.train import train_flow

        return train_flow(config or TrainConfig(), cluster, run, resume=config is None, **asdict(warm_start))


def _evaluate(home: Home, run: str, cluster: ClusterConfig) -> dict[int, Evaluation]:
    with _prefect(home):
        from flows.evaluate import evaluate_flow

        return evaluate_flow(run, cluster)


def _sweep(home: Home, sweep: Sweep, name: str, parallel: int, cluster: ClusterConfig) -> list[Result]:
    with _prefect(home):
        from flows.sweep import sweep_flow

        return sweep_flow(sweep, name, parallel, cluster)


def _study(home: Home, study: Study, name: str, cluster: ClusterConfig) -> Path:
    with _prefect(home):
        from flows.study import study_flow

        return study_flow(study, name, cluster)


def _deploy(home: Home, scheduler: str, trainings: int) -> None:
    home.prepare()
    settle(os.environ, home.root)
    for name, value in SERVING.items():
        os.environ.setdefault(name, value)
    from flows.deployments import serve_forever

    serve_forever(home, scheduler, trainings)


@contextmanager
def _prefect(home: Home) -> Iterator[None]:
    home.prepare()
    with prefect_server(home.root):
        yield
