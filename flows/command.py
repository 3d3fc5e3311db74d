"""The `atelier` command: the service's command line, with its pipelines run as Prefect flows.

What serves Prefect, Prefect itself and what the flows need are imported by the commands that use them.
"""

import os
import sys
from contextlib import suppress
from dataclasses import asdict
from typing import TYPE_CHECKING

from service.cli import Pipelines, command

if TYPE_CHECKING:
    from pathlib import Path

    from flows.embedded import PrefectServer
    from service.config import ClusterConfig, TrainConfig
    from service.data import DatasetInfo
    from service.data.options import IngestOptions
    from service.home import Home
    from service.search.study import Study
    from service.search.sweep import Result, Sweep
    from service.training.metrics import Evaluation
    from service.training.publish import Published
    from service.training.warm_start import WarmStart


def main() -> None:
    """Run the command line."""
    flows = Flows()
    if _trains(sys.argv[1:]):
        flows.prepare()
    pipelines = Pipelines(
        ingest=flows.ingest,
        train=flows.train,
        resume=flows.resume,
        evaluate=flows.evaluate,
        sweep=flows.sweep,
        study=flows.study,
        deploy=deploy,
        end=flows.end,
    )
    command(pipelines)


class Flows:
    """The pipelines as flows, on a server that the first of them starts."""

    def __init__(self) -> None:
        self._server: PrefectServer | None = None

    @property
    def server(self) -> "PrefectServer":
        """The server, from the first use on."""
        if self._server is None:
            from flows.embedded import PrefectServer

            self._server = PrefectServer()
        return self._server

    def prepare(self) -> None:
        """Start a server of our own while the command finds out what it is to do. It touches nothing until it is used.

        What is wrong with the environment is told later, by whoever needs it.
        """
        from service.environment.proxies import bypass_loopback
        from service.errors import AtelierError
        from service.home import Home

        bypass_loopback(os.environ)
        with suppress(AtelierError, OSError):
            self.server.prepare(Home.from_environment())

    def end(self) -> None:
        """End the server, if there is one and it is our own."""
        if self._server is not None:
            self._server.end()

    def ingest(
        self, home: "Home", dataset: str, source: "Path | None", options: "IngestOptions | None" = None
    ) -> "DatasetInfo":
        """Bring a data set into the store."""
        with self.server.running(home, "flows.ingest") as flows:
            info: DatasetInfo = flows.ingest_flow(dataset, str(source or ""), options or flows.IngestOptions())
        return info

    def train(
        self, home: "Home", config: "TrainConfig", cluster: "ClusterConfig", run: str, warm_start: "WarmStart"
    ) -> "Published":
        """Start a run, take it to its end and publish the model."""
        with self.server.running(home, "flows.train") as flows:
            published: Published = flows.train_flow(config=config, cluster=cluster, run=run, **asdict(warm_start))
        return published

    def resume(self, home: "Home", run: str, cluster: "ClusterConfig") -> "Published":
        """Take a run that was begun before to its end and publish the model."""
        with self.server.running(home, "flows.train") as flows:
            published: Published = flows.train_flow(cluster=cluster, run=run, resume=True)
        return published

    def evaluate(self, home: "Home", run: str, cluster: "ClusterConfig") -> "dict[int, Evaluation]":
        """Measure a run."""
        with self.server.running(home, "flows.evaluate") as flows:
            evaluations: dict[int, Evaluation] = flows.evaluate_flow(run, cluster)
        return evaluations

    def sweep(self, home: "Home", sweep: "Sweep", name: str, parallel: int, cluster: "ClusterConfig") -> "list[Result]":
        """Compare many trainings."""
        with self.server.running(home, "flows.sweep") as flows:
            results: list[Result] = flows.sweep_flow(sweep, name, parallel, cluster)
        return results

    def study(self, home: "Home", study: "Study", name: str, cluster: "ClusterConfig") -> "Path":
        """Compare ways of averaging; the folder with the report."""
        with self.server.running(home, "flows.study") as flows:
            folder: Path = flows.study_flow(study, name, cluster)
        return folder


def _trains(words: list[str]) -> bool:
    """Whether a command line will train something, if it isn't wrong."""
    return (words[:1] == ["train"] or words[:2] == ["runs", "resume"]) and not {"-h", "--help"} & set(words)


def deploy(home: "Home", scheduler: str, trainings: int) -> None:
    """Serve the flows to the Prefect server that is configured, until stopped."""
    from flows.embedded import SERVING, settle
    from service.environment.proxies import http_client

    http_client().close()
    home.prepare()
    settle(os.environ, home.root)
    for name, value in SERVING.items():
        os.environ.setdefault(name, value)
    from flows.deployments import serve_forever

    serve_forever(home, scheduler, trainings)
