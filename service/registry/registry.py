"""The registry: `<name>/<version>/`, each published whole and never changed again, in a folder or in object storage.

The manifest comes last and lists every other file with its SHA-256; a version without one isn't there.
Aliases are names that move: see `service.registry.aliases`.
"""

import json
import logging
import re
from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

from service.errors import Conflict, DataError, InvalidInput, NotFound
from service.files import canonical_json
from service.model_ref import CHAMPION, NAME, ModelRef, is_name
from service.networks.building import recorded_network
from service.registry import merit
from service.registry.aliases import ATTEMPTS, Aliases, AliasFiles
from service.registry.card import model_card
from service.registry.draft import Draft
from service.registry.merit import MERIT
from service.registry.version import ModelVersion
from service.storage import MANIFEST, open_storage
from service.storage.conditions import check_conditional_writes

log = logging.getLogger(__name__)


class Registry:
    """All models at one place: a folder, or an address of object storage (`Home.models`).

    Every method raises StorageError where that can't be reached, read or written.
    """

    def __init__(self, place: Path | str) -> None:
        self._storage = open_storage(place)
        self._aliases = AliasFiles(self._storage)
        self._known: dict[str, ModelVersion] = {}
        self._damaged: set[str] = set()

    def publish(self, name: str, draft: Draft) -> ModelVersion:
        """Publish a draft as the next version of a model; the first becomes its champion."""
        version = self._publish_next(self._checked(name), draft)
        oldest = min(self.versions(name), default=version)
        self._aliases.change(
            name,
            lambda found: found if CHAMPION in found.versions else found.with_alias(CHAMPION, oldest, chosen=False),
        )
        return self.get(name, str(version))

    def check_publishing(self) -> None:
        """Raise StorageError where a version couldn't be published: looked at before a training, not hours later."""
        check_conditional_writes(self._storage)

    def get(self, name: str, version: str = CHAMPION) -> ModelVersion:
        """One version, by number or alias. Raises NotFound."""
        self._checked(name)
        number = version if _is_number(version) else self.aliases(name).get(version)
        try:
            if number is None:
                raise NotFound(version)
            return self._read(f"{name}/{number}")
        except NotFound:
            known = ", ".join(map(str, self.versions(name))) or "none"
            raise NotFound(f"there is no version {version!r} of model {name!r} (versions: {known})") from None

    def find(self, ref: ModelRef) -> ModelVersion:
        """The version that a reference means. Raises NotFound."""
        return self.get(ref.name, ref.version)

    def everything(self) -> list[ModelVersion]:
        """Every version of every model, by name and number."""
        found: dict[str, ModelVersion] = {}
        for folder in self._storage.published():
            if not _is_number(folder.rpartition("/")[2]):
                continue
            # A version never changes, so its manifest is read once for as long as it is there.
            if model := self._known.get(folder) or self._read_if_whole(folder):
                found[folder] = model
        self._known = found
        return sorted(found.values(), key=lambda model: (model.name, model.version))

    def of_run(self, name: str, run: str) -> ModelVersion | None:
        """The version of a model that a run ended in, if it was published."""
        return next((model for model in reversed(self._versions_of(name)) if model.lineage.get("run") == run), None)

    def names(self) -> list[str]:
        """Every model that has a version."""
        found = (folder.split("/") for folder in self._storage.published())
        return sorted({name for name, version in found if _is_number(version)})

    def versions(self, name: str) -> list[int]:
        """The versions of a model, oldest first; empty if there is none."""
        found = (folder.rpartition("/")[2] for folder in self._storage.published(self._checked(name)))
        return sorted(int(version) for version in found if _is_number(version))

    def aliases(self, name: str) -> dict[str, int]:
        """Which alias stands for which version."""
        return self._aliases.read(self._checked(name)).versions

    def champion_is_chosen(self, name: str) -> bool:
        """Whether a person chose a model's champion, so that no training moves it."""
        return self._aliases.read(self._checked(name)).chosen

    def aliases_of(self, models: Iterable[ModelVersion]) -> dict[str, list[str]]:
        """The aliases of each version, by its label. Those of a model are read once for all its versions."""
        models = list(models)
        aliases = {name: self.aliases(name) for name in {model.name for model in models}}
        return {
            model.label: [alias for alias, version in aliases[model.name].items() if version == model.version]
            for model in models
        }

    def set_alias(self, name: str, alias: str, version: int) -> None:
        """Point an alias at a version, as a person does: a champion then stays. Raises NotFound or InvalidInput."""
        self._set_alias(name, alias, version, chosen=True)

    def remove_alias(self, name: str, alias: str) -> None:
        """Take an alias away. The next version that is published makes a champion again. Raises NotFound."""
        known = self.aliases(name)
        if alias not in known:
            raise NotFound(f"model {name!r} has no alias {alias!r} (aliases: {', '.join(sorted(known)) or 'none'})")
        self._aliases.change(name, lambda found: found.without(alias))

    def update_champion(self, new: ModelVersion) -> ModelVersion:
        """Have the champion be the best version on its data by `MERIT`, unless a person chose it.

        Of equals the oldest wins.

        Args:
            new: a version that was published just now; one on other data than the champion's changes nothing.

        Returns:
            The champion.
        """
        found = self._versions_of(new.name)

        def change(aliases: Aliases) -> Aliases:
            holder = next((model for model in found if model.version == aliases.versions.get(CHAMPION)), new)
            if aliases.chosen or holder.data != new.data:
                return aliases
            best = merit.best([model for model in found if model.data == holder.data], MERIT)
            return aliases.with_alias(CHAMPION, best.version, chosen=False)

        self._aliases.change(new.name, change)
        return self.get(new.name)

    def promote(self, name: str, alias: str, metric: str, dataset: str = "") -> ModelVersion:
        """Point an alias at the best version by a metric: the lowest of a loss, the highest of all else.

        Versions are compared on one data set: the one named, or that of the version which has the alias, or that of
        the newest version. Of equals the oldest wins. A champion that is the best by `MERIT` follows the figures again.

        Raises NotFound or InvalidInput.
        """
        found = merit.candidates(name, self._versions_of(name), dataset, self.aliases(name).get(alias))
        best = merit.best(found, metric)
        self._set_alias(name, alias, best.version, chosen=metric != MERIT)
        return best

    def delete(self, name: str, version: int) -> None:
        """Take a version out of sight; `purge` removes it for good, and its number is never given again.

        Raises NotFound, or Conflict where an alias stands for it.
        """
        model = self.get(name, str(version))
        self._refuse_if_aliased(model)
        self._storage.soft_delete(f"{name}/{version}")
        try:
            self._refuse_if_aliased(model)
        except Conflict:
            self._storage.restore(f"{name}/{version}")
            raise

    def restore(self, name: str, version: int) -> ModelVersion:
        """Bring a deleted version back. Raises NotFound where it was purged or never deleted."""
        try:
            self._storage.restore(f"{self._checked(name)}/{version}")
        except NotFound:
            raise NotFound(f"{name} has no deleted version {version}") from None
        return self.get(name, str(version))

    def purge(self, grace_s: float = 7 * 86400) -> list[str]:
        """Remove the files of versions deleted longer ago than `grace_s`, in seconds; their names."""
        return [folder.replace("/", ":") for folder in self._storage.purge(grace_s)]

    def _set_alias(self, name: str, alias: str, version: int, *, chosen: bool) -> None:
        if alias.isdigit() or not is_name(alias):
            raise InvalidInput(f"an alias must match {NAME} and not be a number, got {alias!r}")
        self.get(name, str(version))
        before = self._aliases.read(name)
        self._aliases.change(name, lambda found: found.with_alias(alias, version, chosen=chosen))
        try:
            # Once more: `delete` looks at the aliases after it, so of two at the same time one sees the other.
            self.get(name, str(version))
        except NotFound:
            number = before.versions.get(alias)
            self._aliases.change(
                name,
                lambda found: (
                    found.without(alias) if number is None else found.with_alias(alias, number, chosen=before.chosen)
                ),
            )
            raise

    def _versions_of(self, name: str) -> list[ModelVersion]:
        """The versions of a model, oldest first."""
        found = (self._read_if_whole(f"{name}/{version}") for version in self.versions(name))
        return [model for model in found if model]

    def _publish_next(self, name: str, draft: Draft) -> int:
        files = draft.files()
        for _ in range(ATTEMPTS):
            version = max((int(used) for used in self._storage.used(name) if _is_number(used)), default=0) + 1
            with_card = {**files, "README.md": model_card(name, version, draft).encode()}
            manifest = canonical_json(_manifest(name, version, draft, with_card)) + "\n"
            with suppress(Conflict):  # another publisher has that number
                self._storage.publish(f"{name}/{version}", {**with_card, MANIFEST: manifest.encode()})
                return version
        raise Conflict(f"{name} can't be published: other publishers take every number first")

    def _read(self, folder: str) -> ModelVersion:
        content = self._storage.read(f"{folder}/{MANIFEST}").content
        try:
            return ModelVersion.from_manifest(json.loads(content), self._storage)
        except (ValueError, TypeError, KeyError) as error:
            raise DataError(f"{self._storage.root}/{folder}/{MANIFEST} is damaged: {error!r}") from None

    def _read_if_whole(self, folder: str) -> ModelVersion | None:
        """A version among others, which it must not hide: None where it was deleted since, or is damaged."""
        try:
            return self._read(folder)
        except NotFound:
            return None
        except DataError as error:
            if folder not in self._damaged:
                self._damaged.add(folder)
                log.warning("%s", error)
            return None

    def _refuse_if_aliased(self, model: ModelVersion) -> None:
        if aliases := self.aliases_of([model])[model.label]:
            raise Conflict(f"{model.label} can't be deleted: {', '.join(aliases)} stands for it")

    def _checked(self, name: str) -> str:
        if not is_name(name):
            raise InvalidInput(f"a model's name must match {NAME}, got {name!r}")
        return name


def _manifest(name: str, version: int, draft: Draft, files: dict[str, bytes]) -> dict[str, Any]:
    test, validation = draft.metrics["test"], draft.metrics.get("validation")
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
            **recorded_network(draft.network),
        },
        "metrics": {
            "train_loss": draft.metrics["train_loss"],
            "train_accuracy": draft.metrics["train_accuracy"],
            "test_loss": test["loss"],
            "test_accuracy": test["accuracy"],
            **{f"validation_{name}": validation[name] for name in ("loss", "accuracy") if validation},
        },
        "preparation": draft.preparation,
        "statistics": draft.statistics,
        "lineage": draft.lineage,
        "tags": draft.tags,
        **({"warnings": draft.warnings} if draft.warnings else {}),
        "files": {
            file: {"sha256": sha256(content).hexdigest(), "size": len(content)}
            for file, content in sorted(files.items())
        },
    }


def _is_number(version: str) -> bool:
    """Whether this names a version as folders do: 1, 2, 3, ... without leading zeros, in ASCII digits."""
    return re.fullmatch("[1-9][0-9]{0,8}", version) is not None
