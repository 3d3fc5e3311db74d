"""Runs in MLflow, at the tracking server that `MLFLOW_TRACKING_URI` names.

A run becomes a run of the experiment `MLFLOW_EXPERIMENT_NAME`, by default `atelier`: the configuration as parameters,
rounds, epochs and evaluations as metrics, digests as tags, the model with its report and its pictures as artifacts. It
is found again by two tags, its name and when it began, so that a resumed run goes on in the same place. MLflow keeps
one of several equal values, so that lines may be sent twice.
"""

import json
import os
from collections.abc import Iterator, Sequence
from datetime import datetime
from importlib.util import find_spec
from itertools import islice
from typing import Any
from urllib.parse import urlsplit

from service.environment.proxies import http_client
from service.errors import AtelierError, InvalidInput
from service.registry import ModelVersion
from service.runs import Entry
from service.tracking.base import TrackedRun
from service.tracking.figures import Figure, figures_of
from service.tracking.mlflow_artifacts import artifacts

ADDRESS, EXPERIMENT = "MLFLOW_TRACKING_URI", "MLFLOW_EXPERIMENT_NAME"

PATIENCE = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1", "MLFLOW_HTTP_REQUEST_TIMEOUT": "20"}
"""MLflow's settings, where the environment has none: it would try a server that is down for minutes by itself."""

ANSWER_SECONDS = 5.0
"""How long the server may take to answer before a run begins."""

MOST_METRICS, MOST_PARAMETERS = 1000, 100
"""What MLflow takes at a time."""

KIND = {"mlflow.experimentKind": "custom_model_development"}
"""Of an experiment that we make: MLflow's pages are then those for training."""

STATES = {"finished": "FINISHED", "failed": "FAILED"}
"""By the run's status; of others, `running` stays and the rest is KILLED."""


def check() -> None:
    """Raise AtelierError where MLflow isn't installed or not told of, or its server doesn't answer."""
    if find_spec("mlflow") is None:
        raise AtelierError("MLflow is not installed: pip install 'atelier-train[mlflow]'")
    address = os.environ.get(ADDRESS, "")
    if not address:
        raise InvalidInput(f"track mlflow needs {ADDRESS}, such as http://localhost:5000")
    if urlsplit(address).scheme not in ("http", "https"):
        return
    try:
        with http_client(timeout=ANSWER_SECONDS) as client:
            status = client.get(f"{address.rstrip('/')}/health").status_code
    except Exception as error:
        raise AtelierError(_no_answer(address, str(error) or type(error).__name__)) from None
    if status >= 500:
        raise AtelierError(_no_answer(address, f"status {status}"))


def tracker(run: TrackedRun, saved: dict[str, str]) -> "MlflowTracker":
    """See `service.tracking.base.TrackerModule`. A run that is resumed without the address goes to the one it had."""
    for name, value in PATIENCE.items():
        os.environ.setdefault(name, value)
    saved["address"] = os.environ.get(ADDRESS) or saved.get("address", "")
    return MlflowTracker(run, saved["address"])


class MlflowTracker:
    """A run of MLflow's."""

    def __init__(self, run: TrackedRun, address: str) -> None:
        """Begin a run of MLflow's, or find the one that was begun before."""
        from mlflow import MlflowClient  # takes a second or two to import

        self._run = run
        self._client: Any = MlflowClient(address)
        self._id = self._found() or self._begun()
        self._client.update_run(self._id, status="RUNNING")

    def add(self, entries: Sequence[Entry]) -> None:
        """See `Tracker`."""
        self._send(figure for entry in entries for figure in figures_of(entry))
        for entry in entries:
            if entry["kind"] == "end" and "digest" in entry:
                self._client.set_tag(self._id, "atelier.last_digest", entry["digest"])

    def publish(self, model: ModelVersion, measured: Sequence[Entry]) -> None:
        """See `Tracker`."""
        at = datetime.fromisoformat(model.created).timestamp()
        self._send(figure for entry in measured for figure in figures_of(entry))
        self._send(Figure(f"model/{name}", value, 0, at) for name, value in model.metrics.items())
        with artifacts(model, self._run) as folder:
            self._client.log_artifacts(self._id, str(folder))
        tags = {"atelier.digest": model.lineage["parameters"], "atelier.model": model.label}
        tags |= {f"atelier.tag.{tag}": "true" for tag in model.tags}
        for name, value in tags.items():
            self._client.set_tag(self._id, name, value)

    def end(self, outcome: str) -> None:
        """See `Tracker`."""
        if outcome != "running":
            self._client.set_terminated(self._id, STATES.get(outcome, "KILLED"))

    def _send(self, figures: Iterator[Figure]) -> None:
        from mlflow.entities import Metric

        metrics = (Metric(f.name, f.value, round(1000 * f.at), f.step) for f in figures)
        for some in batched_in(metrics, MOST_METRICS):
            self._client.log_batch(self._id, metrics=some, synchronous=True)

    def _found(self) -> str | None:
        experiment = self._client.get_experiment_by_name(_experiment())
        if experiment is None:
            return None
        wanted = " and ".join(f"tags.`{name}` = '{value}'" for name, value in self._identity().items())
        found = self._client.search_runs([experiment.experiment_id], wanted, max_results=1)
        return str(found[0].info.run_id) if found else None

    def _begun(self) -> str:
        from mlflow.entities import Param

        begun = datetime.fromisoformat(self._run.files.started())
        identifier = self._client.create_run(
            self._experiment_id(), round(1000 * begun.timestamp()), self._tags(), self._run.name
        ).info.run_id
        parameters = [Param(name, str(value)[:500]) for name, value in self._run.parameters().items()]
        for some in batched_in(iter(parameters), MOST_PARAMETERS):
            self._client.log_batch(identifier, params=some, synchronous=True)
        self._client.log_inputs(identifier, [_data_set(self._run)])
        return str(identifier)

    def _experiment_id(self) -> str:
        from mlflow.exceptions import MlflowException

        try:
            return str(self._client.create_experiment(_experiment(), tags=KIND))
        except MlflowException:  # it is there already, as a rule
            found = self._client.get_experiment_by_name(_experiment())
            if found is None:
                raise
            return str(found.experiment_id)

    def _identity(self) -> dict[str, str]:
        return {"atelier.run": self._run.name, "atelier.started": self._run.files.started()}

    def _tags(self) -> dict[str, str]:
        facts = self._run.facts
        return {
            **self._identity(),
            "mlflow.source.name": "atelier train",
            "mlflow.source.type": "LOCAL",
            "atelier.home": self._run.origin,
            "atelier.version": facts["versions"]["atelier"],
            "atelier.engine": facts["engine"]["engine"],
            "atelier.data_digest": facts["data"]["digest"],
            **{
                f"atelier.{name}": facts[name] for name in ("fork", "init", "extend", "start_digest") if facts.get(name)
            },
        }


def batched_in(values: Iterator[Any], size: int) -> Iterator[list[Any]]:
    """Lists of so many values, the last one perhaps shorter."""
    return iter(lambda: list(islice(values, size)), [])


def _data_set(run: TrackedRun) -> Any:
    from mlflow.entities import Dataset, DatasetInput

    data = run.facts["data"]
    return DatasetInput(
        Dataset(data["name"], data["digest"][:36], "local", json.dumps({"uri": data["path"]}, ensure_ascii=False))
    )


def _experiment() -> str:
    return os.environ.get(EXPERIMENT) or "atelier"


def _no_answer(address: str, why: str) -> str:
    return f"no MLflow server answers at {address} ({ADDRESS}): {why}; leave out --track to train without it"
