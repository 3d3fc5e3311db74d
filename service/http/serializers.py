"""A model version and a run as the plain data that the API sends and the gallery shows."""

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from pydantic import ValidationError

from service.errors import NotFound, RunError
from service.registry import ModelVersion, Registry
from service.runs import Run, all_runs, look_at
from service.runs.recorded_config import recorded_config
from service.storage import Place


def serialize_model(registry: Registry, model: ModelVersion, prefix: str) -> dict[str, Any]:
    """One version, as lists have it. prefix: the sub-path that links begin with."""
    return serialize_models(registry, [model], prefix)[0]


def serialize_models(registry: Registry, models: Sequence[ModelVersion], prefix: str) -> list[dict[str, Any]]:
    """Several versions, as lists have them. prefix: the sub-path that links begin with."""
    aliases = registry.aliases_of(models)
    return [_serialize(model, aliases[model.label], prefix) for model in models]


def serialize_model_details(registry: Registry, model: ModelVersion, prefix: str) -> dict[str, Any]:
    """One version with its configuration, history and evaluation."""
    details = {key: model.read_json(key) for key in ("config", "history")}
    return {
        **serialize_model(registry, model, prefix),
        "network": model.network,
        **details,
        "evaluation": model.read_json("metrics")["test"],
    }


def _serialize(model: ModelVersion, aliases: list[str], prefix: str) -> dict[str, Any]:
    base = f"{prefix}/api/models/{model.name}/versions/{model.version}"
    return {
        "name": model.name,
        "version": model.version,
        "aliases": aliases,
        "created": model.created,
        "dataset": model.dataset,
        "network": {key: value for key, value in model.network.items() if key != "description"},
        "class_names": model.class_names,
        "metrics": model.metrics,
        "tags": model.tags,
        "warnings": model.warnings,
        "lineage": model.lineage,
        "files": {name: {**facts, "href": f"{base}/files/{name}"} for name, facts in model.files.items()},
    }


def serialize_run(run: Run) -> dict[str, Any]:
    """One run, with how far it came. Its configuration is taken as it was written: an older one may know less.

    Loss and accuracy are those of the newest round or epoch, whichever came last: a run that has finished shows its
    last epoch.
    """
    config = run.facts()["config"]
    network = config["model"] if isinstance(config["model"], str) else config["model"]["name"]
    entries = list(run.entries())
    epochs = [entry for entry in entries if entry["kind"] == "epoch"]
    rounds = [entry for entry in entries if entry["kind"] == "round"]
    newest = next((entry for entry in reversed(entries) if entry["kind"] in ("round", "epoch")), {})
    return {
        "run": run.name,
        "status": run.status(),
        "started": run.started(),
        "model": _published_name(config, network),
        "network": network,
        "dataset": config["dataset"],
        "epochs_done": config.get("first_epoch", 0) + len(epochs),
        "epochs": config["epochs"],
        "rounds_done": len(rounds),
        "loss": newest.get("loss", newest.get("train_loss")),
        "accuracy": newest.get("accuracy", newest.get("train_accuracy")),
        "examples_per_s": epochs[-1]["examples_per_s"] if epochs else None,
    }


def _published_name(config: dict[str, Any], network: str) -> str:
    """What a run's model is called, or would be."""
    with suppress(ValidationError):
        return recorded_config(config).published_name
    return str(config.get("name") or network)


def serialize_runs(runs: Place, limit: int) -> list[dict[str, Any]]:
    """The newest runs. One whose files are damaged is left out: it must not hide the others."""
    return [found for found in look_at(all_runs(runs)[:limit], _serialized) if found]


def _serialized(run: Run) -> dict[str, Any] | None:
    with suppress(RunError, NotFound, KeyError):
        return serialize_run(run)
    return None
