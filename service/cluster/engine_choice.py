"""The engine that all workers of a cluster take for a training."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ops.engines import Choice, choose
from ops.errors import Unsupported
from ops.network import Network
from ops.step_config import StepConfig
from service.cluster.connection import Cluster
from service.config import TrainConfig
from service.errors import ClusterError, InvalidInput


@dataclass(frozen=True)
class WorkerReport:
    """What a worker says before a training.

    Attributes:
        sees_store: whether it can read the data set's folder.
        problem: why it can't run what is configured; else empty.
        choice: the engine that it would take, where there is no problem.
    """

    sees_store: bool
    problem: str = ""
    choice: Choice | None = None


def agree_on_engine(
    cluster: Cluster, config: TrainConfig, network: Network, step_config: StepConfig, store: Path
) -> Choice:
    """The engine that the configuration comes to on the cluster's workers.

    Raises:
        ClusterError: a worker can't read the store, or the workers differ.
        InvalidInput: a worker can't run what is configured.
    """
    answers = cluster.ask_workers(_report, config, network, step_config, store)
    return _agreed({worker: answer for worker, answer in answers.items() if isinstance(answer, WorkerReport)}, store)


def _agreed(reports: Mapping[str, WorkerReport], store: Path) -> Choice:
    for worker, report in reports.items():
        if not report.sees_store:
            raise ClusterError(f"worker {worker} can't see {store}: give all workers the same ATELIER_HOME")
    problems = {report.problem for report in reports.values() if report.problem}
    if problems:
        raise InvalidInput(min(problems))
    choices = {report.choice for report in reports.values() if report.choice is not None}
    if not choices:
        raise ClusterError("no worker answered what it can run")
    if len({(choice.engine, choice.device) for choice in choices}) > 1:
        found = ", ".join(sorted(f"{choice.engine} on {choice.device}" for choice in choices))
        raise ClusterError(f"the workers differ ({found}): name one with --engine and --device")
    return min(choices, key=lambda choice: choice.why)


def _report(config: TrainConfig, network: Network, step_config: StepConfig, store: Path) -> WorkerReport:
    """Runs on each worker."""
    sees_store = (store / "zarr.json").is_file()
    try:
        choice = choose(network, step_config, engine=config.engine, device=config.device)
    except Unsupported as error:
        return WorkerReport(sees_store, problem=str(error))
    return WorkerReport(sees_store, choice=choice)
