"""What the API says of a model and of a run, as plain data."""

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from service.errors import RunError
from service.registry import ModelVersion, Registry
from service.runs import RunFolder, all_runs


def model_view(registry: Registry, model: ModelVersion) -> dict[str, Any]:
    """One version, with what lists show."""
    return model_views(registry, [model])[0]


def model_views(registry: Registry, models: Sequence[ModelVersion]) -> list[dict[str, Any]]:
    """Several versions, with what lists show."""
    aliases = registry.standing_for(models)
    return [_view(model, aliases[model.label]) for model in models]


def _view(model: ModelVersion, aliases: list[str]) -> dict[str, Any]:
    base = f"/api/models/{model.name}/versions/{model.version}"
    return {
        "name": model.name,
        "version": model.version,
        "aliases": aliases,
        "created": model.created,
        "dataset": model.dataset,
        "network": model.network,
        "class_names": model.class_names,
        "metrics": model.metrics,
        "tags": model.tags,
        "lineage": model.lineage,
        "files": {name: {**facts, "href": f"{base}/files/{name}"} for name, facts in model.files.items()},
    }


def run_view(folder: RunFolder) -> dict[str, Any]:
    """One run, with how far it came. Its configuration is taken as it was written: an older one may know less."""
    config = folder.facts()["config"]
    entries = list(folder.entries())
    epochs = [entry for entry in entries if entry["kind"] == "epoch"]
    rounds = [entry for entry in entries if entry["kind"] == "round"]
    return {
        "run": folder.name,
        "status": folder.status(),
        "model": config.get("name") or config["model"],
        "network": config["model"],
        "dataset": config["dataset"],
        "epochs_done": len(epochs),
        "epochs": config["epochs"],
        "rounds_done": len(rounds),
        "loss": rounds[-1]["loss"] if rounds else None,
        "accuracy": rounds[-1]["accuracy"] if rounds else None,
        "examples_per_s": epochs[-1]["examples_per_s"] if epochs else None,
    }


def run_views(runs: Path, limit: int) -> list[dict[str, Any]]:
    """The newest runs. One whose files are damaged is left out: it must not hide the others."""
    found = []
    for folder in all_runs(runs)[:limit]:
        with suppress(RunError, KeyError):
            found.append(run_view(folder))
    return found
