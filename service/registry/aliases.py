"""The aliases of a model: names that move, `champion -> 3`, in its `aliases.json`.

{"champion":3,"staging":4}                               the champion follows from the figures
{"champion":{"chosen":true,"version":2},"staging":4}     a person chose it: no training moves it
"""

import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

from service.errors import Conflict, DataError, NotFound
from service.files import canonical_json
from service.model_ref import CHAMPION
from service.storage import Storage

ATTEMPTS = 100
"""How often a write is repeated while other writers are quicker. Each failure is somebody else's success."""


@dataclass(frozen=True)
class Aliases:
    """A model's aliases.

    Attributes:
        versions: which version each stands for.
        chosen: whether a person chose the champion.
    """

    versions: dict[str, int] = field(default_factory=dict)
    chosen: bool = False

    @classmethod
    def parse(cls, content: bytes) -> "Aliases":
        """The aliases that a file has, of this or an older version of the registry."""
        found = json.loads(content)
        versions = {name: value["version"] if isinstance(value, dict) else value for name, value in found.items()}
        return cls(versions, isinstance(found.get(CHAMPION), dict))

    def serialize(self) -> bytes:
        """The content of the file: one line of JSON."""
        values: dict[str, object] = dict(self.versions)
        if self.chosen:
            values[CHAMPION] = {"version": self.versions[CHAMPION], "chosen": True}
        return (canonical_json(values) + "\n").encode()

    def with_alias(self, alias: str, version: int, *, chosen: bool) -> "Aliases":
        """The same with an alias set. chosen: whether a person does so; only the champion remembers that."""
        return Aliases({**self.versions, alias: version}, chosen if alias == CHAMPION else self.chosen)

    def without(self, alias: str) -> "Aliases":
        """The same without an alias."""
        rest = {name: version for name, version in self.versions.items() if name != alias}
        return Aliases(rest, self.chosen and alias != CHAMPION)


class AliasFiles:
    """The aliases of all models in a storage."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    def read(self, name: str) -> Aliases:
        """The aliases of a model; none where it has no file of them."""
        return self._read(name)[0]

    def change(self, name: str, change: Callable[[Aliases], Aliases]) -> None:
        """Replace a model's aliases by what `change` makes of them, whoever else does so at the same time."""
        for _ in range(ATTEMPTS):
            aliases, tag = self._read(name)
            changed = change(aliases)
            if changed == aliases:
                return
            with suppress(Conflict):  # another one was quicker, and what it wrote is to be kept
                self._storage.write(_key(name), changed.serialize(), tag)
                return
        raise Conflict(f"the aliases of {name} can't be changed: other writers change them all the time")

    def _read(self, name: str) -> tuple[Aliases, str | None]:
        """The aliases, and the tag of the file they were read from; None where there is none."""
        try:
            stored = self._storage.read(_key(name))
        except NotFound:
            return Aliases(), None
        try:
            return Aliases.parse(stored.content), stored.tag
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise DataError(f"{self._storage.root}/{_key(name)} is damaged: {error!r}") from None


def _key(name: str) -> str:
    return f"{name}/aliases.json"
