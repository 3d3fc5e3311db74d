"""The engine that all workers of a cluster take for a training, and what each of them is."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ops.engines import Choice, choose
from ops.engines.fingerprint import Fingerprint, fingerprint_of
from ops.errors import Unsupported
from ops.network import Network
from ops.step_config import StepConfig
from service.cluster.code_version import code_version
from service.cluster.connection import Cluster
from service.config import TrainConfig
from service.data.store import why_unreadable
from service.errors import ClusterError, InvalidInput
from service.storage import Place


class NoAnswer(ClusterError):
    """No worker is there that answers at the moment."""


@dataclass(frozen=True)
class WorkerReport:
    """What a worker says before a training.

    Attributes:
        unreadable: why it can't read the data set's store; else empty.
        problem: why it can't run what is configured; else empty.
        choice: the engine that it would take, where there is no problem.
        fingerprint: what its bits depend on, with that engine.
        code: its `code_version`; empty for a worker of a version that had none.
    """

    unreadable: str
    problem: str = ""
    choice: Choice | None = None
    fingerprint: Fingerprint | None = None
    code: str = ""


def ask_for_reports(
    cluster: Cluster, config: TrainConfig, network: Network, step_config: StepConfig, store: Place
) -> tuple[dict[str, WorkerReport], dict[str, Exception]]:
    """What each worker that answers says, by address; and what kept workers from saying it.

    Raises:
        NoAnswer: none answers.
        ClusterError: no call of the function succeeds.
        OSError: the scheduler is lost.
    """
    answers = cluster.ask_workers(_report, config, network, step_config, store)
    reports = {worker: answer for worker, answer in answers.items() if isinstance(answer, WorkerReport)}
    errors = {worker: answer for worker, answer in answers.items() if isinstance(answer, Exception)}
    if errors and not reports:
        raise ClusterError(f"no worker can say what it can run: {min(map(str, errors.values()))}")
    if not reports:
        raise NoAnswer("no worker answered what it can run")
    return reports, errors


def agreed_choice(reports: Mapping[str, WorkerReport], store: Place) -> Choice:
    """The engine that workers take.

    Raises:
        ClusterError: a worker can't read the store, or the workers differ.
        InvalidInput: a worker can't run what is configured.
    """
    for worker, report in reports.items():
        if report.unreadable:
            remedy = "give all workers the same ATELIER_HOME" if isinstance(store, Path) else report.unreadable
            raise ClusterError(f"worker {worker} can't see {store}: {remedy}")
    problems = {report.problem for report in reports.values() if report.problem}
    if problems:
        raise InvalidInput(min(problems))
    choices = {report.choice for report in reports.values() if report.choice is not None}
    if len({(choice.engine, choice.device) for choice in choices}) > 1:
        found = ", ".join(sorted(f"{choice.engine} on {choice.device}" for choice in choices))
        raise ClusterError(f"the workers differ ({found}): name one with --engine and --device")
    return min(choices, key=lambda choice: choice.why)


def _report(config: TrainConfig, network: Network, step_config: StepConfig, store: Place) -> WorkerReport:
    """Runs on each worker."""
    unreadable = why_unreadable(store)
    try:
        choice = choose(network, step_config, engine=config.engine, device=config.device)
    except Unsupported as error:
        return WorkerReport(unreadable, problem=str(error), code=code_version())
    return WorkerReport(unreadable, choice=choice, fingerprint=fingerprint_of(choice), code=code_version())
