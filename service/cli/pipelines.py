"""What the command line needs from the layer above it, handed in rather than imported."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from service.config import ClusterConfig, TrainConfig
    from service.data import DatasetInfo
    from service.data.options import IngestOptions
    from service.home import Home
    from service.search.study import Study
    from service.search.sweep import Result, Sweep
    from service.training.metrics import Evaluation
    from service.training.publish import Published
    from service.training.warm_start import WarmStart


class Ingest(Protocol):
    def __call__(
        self, home: "Home", dataset: str, source: Path | None, options: "IngestOptions | None" = None
    ) -> "DatasetInfo": ...


class Train(Protocol):
    def __call__(
        self, home: "Home", config: "TrainConfig", cluster: "ClusterConfig", run: str, warm_start: "WarmStart"
    ) -> "Published": ...


class Resume(Protocol):
    def __call__(self, home: "Home", run: str, cluster: "ClusterConfig") -> "Published": ...


class Evaluate(Protocol):
    def __call__(self, home: "Home", run: str, cluster: "ClusterConfig") -> "dict[int, Evaluation]": ...


class RunSweep(Protocol):
    def __call__(
        self, home: "Home", sweep: "Sweep", name: str, parallel: int, cluster: "ClusterConfig"
    ) -> "list[Result]": ...


class RunStudy(Protocol):
    def __call__(self, home: "Home", study: "Study", name: str, cluster: "ClusterConfig") -> Path: ...


class Deploy(Protocol):
    def __call__(self, home: "Home", scheduler: str, trainings: int) -> None: ...


@dataclass(frozen=True)
class Pipelines:
    """The long jobs.

    Attributes:
        ingest: Bring a data set in.
        train: Start a run, take it to its end and publish the model.
        resume: Take a run that was begun before to its end and publish the model.
        evaluate: Measure a run.
        sweep: Compare many trainings.
        study: Compare ways of averaging.
        deploy: Serve all of these to a Prefect server.
        end: Let go of what they hold.
    """

    ingest: Ingest
    train: Train
    resume: Resume
    evaluate: Evaluate
    sweep: RunSweep
    study: RunStudy
    deploy: Deploy
    end: Callable[[], None] = lambda: None
