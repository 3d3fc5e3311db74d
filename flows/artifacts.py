"""What a flow run shows while it works and when it is done, as Prefect artifacts.

An artifact is made once and then renewed in place, so that a run's page has one of each kind, not one for each epoch.
"""

import json
from collections.abc import Mapping
from time import monotonic
from uuid import UUID

from prefect import get_client, get_run_logger
from prefect.artifacts import create_markdown_artifact, create_progress_artifact, create_table_artifact
from prefect.client.schemas.actions import ArtifactUpdate
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterFlowRunId
from prefect.context import FlowRunContext

from flows.settings import least_seconds
from service.rounds.plan import Plan
from service.runs import Entry
from service.search.sweep import Result, results_table
from service.training.epoch_scores import EpochScores
from service.training.report import markdown_curve


class TrainingView:
    """Follows a run: a progress bar, a table with a line for each epoch, the curve so far, and a log.

    plan: the run's. before: its epochs so far, where it is continued. scores: the figures of those evaluated so far.
    """

    def __init__(self, run: str, plan: Plan, before: list[Entry], scores: Mapping[int, EpochScores]) -> None:
        self._key = f"run-{run}"
        self._plan = plan
        self._ids = _artifacts_here() if before else {}
        self._shown: dict[str, float] = {}
        self._epochs = list(before)
        self._scores = dict(scores)
        self._log = get_run_logger()
        self._least_s = least_seconds()

    def __call__(self, entry: Entry) -> None:
        """Take in a line of the round log."""
        kind = entry["kind"]
        if kind == "begin":
            self._log.info("run %s begins after %d rounds", self._key.removeprefix("run-"), entry["rounds_done"])
        elif kind == "round":
            self._progress(100 * self._plan.share_after(entry["epoch"], entry["last"]))
        elif kind == "epoch":
            self._epochs.append(entry)
            self._log.info(
                "epoch %d: loss %.4f, accuracy %.4f, %d examples/s",
                entry["epoch"] + 1,
                entry["train_loss"],
                entry["train_accuracy"],
                entry["examples_per_s"],
            )
            self._show_epochs()
        elif kind == "evaluation":
            self._scores[entry["epoch"]] = EpochScores.from_entry(entry)
            self._show_epochs()
        elif kind == "plateau":
            self._log.warning("%s", entry["why"])
        elif kind == "disturbed":
            self._log.warning("%s: going on from round %d", entry["why"], entry["round"])
        elif kind == "end":
            self._log.info("the run ends: %s", entry["outcome"])
            if self._epochs:
                self._show_epochs(last=True)
            if entry["outcome"] == "finished":
                self._progress(100.0, last=True)

    def _progress(self, percent: float, *, last: bool = False) -> None:
        if self._due("progress", last):
            key = self._key
            if key in self._ids:
                _renew(self._ids[key], percent)
            else:
                self._keep(key, create_progress_artifact(percent, key=key, description="Rounds trained"))

    def _show_epochs(self, *, last: bool = False) -> None:
        if not self._due("epochs", last):
            return
        table = [self._row(entry) for entry in self._epochs]
        drawn = markdown_curve(self._epochs, self._scores)
        epochs, curve = f"{self._key}-epochs", f"{self._key}-curve"
        if epochs in self._ids and curve in self._ids:
            _renew(self._ids[epochs], json.dumps(table))
            _renew(self._ids[curve], drawn)
        else:
            self._keep(epochs, create_table_artifact(table, key=epochs, description="Epoch by epoch"))
            self._keep(curve, create_markdown_artifact(drawn, key=curve, description="The curve so far"))

    def _row(self, entry: Entry) -> dict[str, float | None]:
        """A line of the table. All have the same columns; a figure that isn't there yet is None."""
        scores = self._scores.get(entry["epoch"])
        found = {"validation": scores.validation if scores else None, "test": scores.test if scores else None}
        columns = [name for name in found if any(getattr(scores, name) for scores in self._scores.values())]
        return {
            "epoch": entry["epoch"] + 1,
            "train loss": round(entry["train_loss"], 4),
            "train accuracy": round(entry["train_accuracy"], 4),
            **{f"{name} accuracy": round(score.accuracy, 4) if (score := found[name]) else None for name in columns},
            "examples/s": round(entry["examples_per_s"]),
        }

    def _due(self, what: str, last: bool) -> bool:
        if not last and monotonic() - self._shown.get(what, -self._least_s) < self._least_s:
            return False
        self._shown[what] = monotonic()
        return True

    def _keep(self, key: str, answer: object) -> None:
        if not isinstance(answer, UUID):
            raise AssertionError("called without an event loop, Prefect answers with the artifact's id")
        self._ids[key] = answer


def show_sweep(name: str, results: list[Result]) -> None:
    """The trials that are done, best first."""
    create_table_artifact(table=results_table(results), key=f"sweep-{name}", description="Trial by trial")


def show_sweep_report(name: str, markdown: str) -> None:
    """Leave the report of a sweep with the flow run."""
    create_markdown_artifact(markdown=markdown, key=f"sweep-{name}-report", description="What came out")


def show_report(run: str, markdown: str) -> None:
    """Leave the final report with the flow run."""
    create_markdown_artifact(markdown=markdown, key=f"run-{run}-report", description="What came out")


def _artifacts_here() -> dict[str, UUID]:
    """What this flow run showed before it was started again, by key."""
    here = FlowRunContext.get()
    if here is None or here.flow_run is None:
        return {}
    wanted = ArtifactFilter(flow_run_id=ArtifactFilterFlowRunId(any_=[here.flow_run.id]))
    with get_client(sync_client=True) as client:
        return {found.key: found.id for found in client.read_artifacts(artifact_filter=wanted) if found.key}


def _renew(artifact: UUID, data: object) -> None:
    with get_client(sync_client=True) as client:
        client.update_artifact(artifact, ArtifactUpdate(data=data))
