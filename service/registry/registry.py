"""The registry: `models/<name>/<version>/`, each published by one rename and never changed again.

The manifest is written last and lists every other file with its SHA-256; a folder without one is no version.
Aliases are names that move: `champion -> 3`, in `models/<name>/aliases.json`.
"""

import fcntl
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
from safetensors.numpy import load_file

from ops import zoo
from ops.engine import Floats
from ops.network import Network
from service.config import NAME
from service.errors import AtelierError, DataError, InvalidInput, NotFound
from service.files import canonical_json, new_folder, replace_file
from service.registry.draft import Draft


@dataclass(frozen=True)
class ModelVersion:
    """A published version, as its manifest tells it.

    files: SHA-256 and size in bytes of each file. network: how to build it (name, input shape, classes, resize).
    metrics: the few figures that lists show. lineage: run, data, parameters' digest, code version.
    """

    name: str
    version: int
    created: str
    dataset: str
    class_names: tuple[str, ...]
    network: dict[str, Any]
    metrics: dict[str, float]
    lineage: dict[str, Any]
    tags: tuple[str, ...]
    files: dict[str, dict[str, Any]]
    path: Path

    def build_network(self) -> Network:
        """The network that the parameters belong to."""
        described = self.network
        shape = tuple(described["input_shape"])
        return zoo.network(described["name"], shape, described["classes"], resize=described["resize"])

    def parameters(self) -> Floats:
        """The parameters as one vector (size,) float32. Raises DataError where the file is not the published one."""
        path = self.path / "weights.safetensors"
        try:
            if sha256(path.read_bytes()).hexdigest() != self.files[path.name]["sha256"]:
                raise DataError(f"{path} is damaged: its SHA-256 is not the one in the manifest")
            tensors = load_file(path)
        except (OSError, safetensors.SafetensorError) as error:
            raise DataError(f"{path} can't be read: {error}") from None
        network = self.build_network()
        theta = np.empty(network.size, np.float32)
        for name, view in network.named(theta):
            view[...] = tensors[name]
        return theta

    def read_json(self, name: str) -> Any:
        """The content of one of its JSON files: `config`, `metrics` or `history`."""
        return json.loads((self.path / f"{name}.json").read_text())


class Registry:
    """All models below one folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def publish(self, name: str, draft: Draft) -> ModelVersion:
        """Publish a draft as the next version of a model; the first becomes its champion."""
        with self._held(name):
            version = max(self.versions(name), default=0) + 1
            try:
                with new_folder(self._folder / name / str(version)) as folder:
                    draft.write(folder)
                    manifest = self._manifest(name, version, draft, folder)
                    (folder / "manifest.json").write_text(canonical_json(manifest) + "\n")
            except OSError as error:
                raise AtelierError(f"{name} version {version} can't be written: {error.strerror or error}") from None
            if "champion" not in self.aliases(name):
                self._point(name, "champion", version)
        return self.get(name, str(version))

    def get(self, name: str, version: str = "champion") -> ModelVersion:
        """One version, by number or alias. Raises NotFound."""
        number = version if version.isdigit() else str(self.aliases(name).get(version, ""))
        path = self._folder / self._checked(name) / number
        try:
            manifest = json.loads((path / "manifest.json").read_text()) if number else None
        except OSError:
            manifest = None
        if manifest is None:
            known = ", ".join(map(str, self.versions(name))) or "none"
            raise NotFound(f"there is no version {version!r} of model {name!r} (versions: {known})")
        tuples = {key: tuple(manifest[key]) for key in ("class_names", "tags")}
        return ModelVersion(**{**manifest, **tuples}, path=path)

    def of_run(self, name: str, run: str) -> ModelVersion | None:
        """The version of a model that a run ended in, if it was published."""
        versions = (self.get(name, str(version)) for version in reversed(self.versions(name)))
        return next((version for version in versions if version.lineage.get("run") == run), None)

    def names(self) -> list[str]:
        """Every model that has a version."""
        if not self._folder.is_dir():
            return []
        return sorted(path.name for path in self._folder.iterdir() if path.is_dir() and self.versions(path.name))

    def versions(self, name: str) -> list[int]:
        """The versions of a model, oldest first; empty if there is none."""
        folder = self._folder / self._checked(name)
        if not folder.is_dir():
            return []
        return sorted(int(p.name) for p in folder.iterdir() if p.name.isdigit() and (p / "manifest.json").is_file())

    def aliases(self, name: str) -> dict[str, int]:
        """Which alias stands for which version."""
        path = self._folder / self._checked(name) / "aliases.json"
        aliases: dict[str, int] = json.loads(path.read_text()) if path.is_file() else {}
        return aliases

    def set_alias(self, name: str, alias: str, version: int) -> None:
        """Have an alias stand for a version from now on. Raises NotFound or InvalidInput."""
        if alias.isdigit() or not _matches(alias):
            raise InvalidInput(f"an alias must match {NAME} and not be a number, got {alias!r}")
        self.get(name, str(version))
        with self._held(name):
            self._point(name, alias, version)

    def _point(self, name: str, alias: str, version: int) -> None:
        aliases = self.aliases(name) | {alias: version}
        replace_file(self._folder / name / "aliases.json", lambda path: path.write_text(canonical_json(aliases) + "\n"))

    def _checked(self, name: str) -> str:
        if not _matches(name):
            raise InvalidInput(f"a model's name must match {NAME}, got {name!r}")
        return name

    @contextmanager
    def _held(self, name: str) -> Iterator[None]:
        """One publisher of a model at a time; readers never wait."""
        folder = self._folder / self._checked(name)
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / ".lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _manifest(self, name: str, version: int, draft: Draft, folder: Path) -> dict[str, Any]:
        files = {
            path.name: {"sha256": sha256(path.read_bytes()).hexdigest(), "size": path.stat().st_size}
            for path in sorted(folder.iterdir())
        }
        test = draft.metrics["test"]
        return {
            "name": name,
            "version": version,
            "created": datetime.now(UTC).isoformat(timespec="seconds"),
            "dataset": draft.dataset,
            "class_names": draft.class_names,
            "network": {
                "name": draft.network.name,
                "input_shape": draft.network.input_shape,
                "classes": len(draft.class_names),
                "resize": draft.config["resize"],
            },
            "metrics": {
                "train_loss": draft.metrics["train_loss"],
                "train_accuracy": draft.metrics["train_accuracy"],
                "test_loss": test["loss"],
                "test_accuracy": test["accuracy"],
            },
            "lineage": draft.lineage,
            "tags": draft.tags,
            "files": files,
        }


def _matches(name: str) -> bool:
    return re.fullmatch(NAME, name) is not None
