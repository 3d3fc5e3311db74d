"""The registry: `models/<name>/<version>/`, each published by one rename and never changed again.

The manifest is written last and lists every other file with its SHA-256; a folder without one is no version.
Aliases are names that move: `champion -> 3`, in `models/<name>/aliases.json`.
"""

import fcntl
import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from time import time
from typing import Any

from service.config import NAME
from service.errors import AtelierError, Conflict, InvalidInput, NotFound
from service.files import canonical_json, new_folder, replace_file
from service.registry.card import model_card
from service.registry.draft import Draft
from service.registry.version import ModelVersion

DELETED = ".deleted-"
"""What the folder of a deleted version is called, before its number."""


class Registry:
    """All models below one folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def publish(self, name: str, draft: Draft) -> ModelVersion:
        """Publish a draft as the next version of a model; the first becomes its champion."""
        with self._held(name):
            version = max(self.versions(name) + self._deleted(name), default=0) + 1
            try:
                with new_folder(self._folder / name / str(version)) as folder:
                    draft.write(folder)
                    (folder / "README.md").write_text(model_card(name, version, draft))
                    manifest = self._manifest(name, version, draft, folder)
                    (folder / "manifest.json").write_text(canonical_json(manifest) + "\n")
            except OSError as error:
                raise AtelierError(f"{name} version {version} can't be written: {error.strerror or error}") from None
            if "champion" not in self.aliases(name):
                self._point(name, "champion", version)
        return self.get(name, str(version))

    def get(self, name: str, version: str = "champion") -> ModelVersion:
        """One version, by number or alias. Raises NotFound."""
        number = version if _is_number(version) else str(self.aliases(name).get(version, ""))
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
        return sorted(int(p.name) for p in folder.iterdir() if _is_number(p.name) and (p / "manifest.json").is_file())

    def aliases(self, name: str) -> dict[str, int]:
        """Which alias stands for which version."""
        path = self._folder / self._checked(name) / "aliases.json"
        aliases: dict[str, int] = json.loads(path.read_text()) if path.is_file() else {}
        return aliases

    def set_alias(self, name: str, alias: str, version: int) -> None:
        """Have an alias stand for a version from now on. Raises NotFound or InvalidInput."""
        if alias.isdigit() or not _matches(alias):
            raise InvalidInput(f"an alias must match {NAME} and not be a number, got {alias!r}")
        self.get(name, str(version))  # before `_held` makes a folder for a name that isn't there
        with self._held(name):
            self.get(name, str(version))
            self._point(name, alias, version)

    def promote(self, name: str, alias: str, metric: str) -> ModelVersion:
        """Have an alias stand for the best version by a metric: the lowest of a loss, the highest of all else.

        Of equals the oldest wins. Raises NotFound or InvalidInput.
        """
        found = [self.get(name, str(version)) for version in self.versions(name)]
        if not found:
            raise NotFound(f"there is no model {name!r}")
        if any(metric not in model.metrics for model in found):
            raise InvalidInput(f"metric must be one of {', '.join(found[0].metrics)}, got {metric!r}")
        sign = -1 if metric.endswith("loss") else 1
        best = max(found, key=lambda model: (sign * model.metrics[metric], -model.version))
        self.set_alias(name, alias, best.version)
        return best

    def delete(self, name: str, version: int) -> None:
        """Take a version out of sight; `purge` removes it for good, and its number is never given again.

        Raises NotFound, or Conflict where an alias stands for it.
        """
        model = self.get(name, str(version))
        with self._held(name):
            standing = [alias for alias, number in self.aliases(name).items() if number == version]
            if standing:
                raise Conflict(f"{model.label} can't be deleted: {', '.join(standing)} stands for it")
            model.path.rename(model.path.with_name(f"{DELETED}{version}"))
            (self._folder / name / f"{DELETED}{version}").touch()

    def restore(self, name: str, version: int) -> ModelVersion:
        """Bring a deleted version back. Raises NotFound where it was purged or never deleted."""
        with self._held(name):
            folder = self._folder / name / f"{DELETED}{version}"
            if not (folder / "manifest.json").is_file():
                raise NotFound(f"{name} has no deleted version {version}")
            folder.rename(folder.with_name(str(version)))
        return self.get(name, str(version))

    def purge(self, grace_s: float = 7 * 86400) -> list[str]:
        """Remove the files of versions deleted longer ago than `grace_s`, in seconds; their names."""
        gone = []
        for folder in sorted(self._folder.glob(f"*/{DELETED}*")):
            if time() - folder.stat().st_mtime >= grace_s and any(folder.iterdir()):
                when = folder.stat().st_mtime
                for path in [folder / "manifest.json", *folder.iterdir()]:
                    path.unlink(missing_ok=True)
                os.utime(folder, (when, when))
                gone.append(f"{folder.parent.name}:{folder.name.removeprefix(DELETED)}")
        return gone

    def _deleted(self, name: str) -> list[int]:
        return [int(path.name.removeprefix(DELETED)) for path in (self._folder / name).glob(f"{DELETED}*")]

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
        test, held = draft.metrics["test"], draft.metrics.get("validation")
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
                **{f"validation_{name}": held[name] for name in ("loss", "accuracy") if held},
            },
            "lineage": draft.lineage,
            "tags": draft.tags,
            "files": files,
        }


def _matches(name: str) -> bool:
    return re.fullmatch(NAME.strip("^$"), name) is not None


def _is_number(version: str) -> bool:
    """Whether this names a version as folders do: 1, 2, 3, ... without leading zeros, in ASCII digits."""
    return re.fullmatch("[1-9][0-9]{0,8}", version) is not None
