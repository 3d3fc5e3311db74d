"""What a registry asks of a storage.

A key is a path below the root of the storage. Two kinds of thing have one:

- a **folder**, `lenet/3`, is published whole and never changes. It is there while its manifest can be read.
- a **file** of its own, `lenet/aliases.json`, is replaced whole, by whoever knows what it held.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

MANIFEST = "manifest.json"
"""The file that makes a folder: it comes last and goes first."""

DELETED = ".deleted-"
"""What the name of a soft-deleted folder begins with, before its own."""


@dataclass(frozen=True)
class Stored:
    """A file's content, and a tag that another content doesn't have."""

    content: bytes
    tag: str


class Storage(Protocol):
    """Folders and files, for any number of processes at once; no reader ever waits, or sees half of anything.

    Every method raises StorageError where the storage can't be reached or refuses, within a minute.
    """

    root: str
    """Where it all lies, as people write it: a path or an address. A key follows after a slash."""

    def read(self, key: str) -> Stored:
        """A file, one of its own or one in a folder. Raises NotFound."""

    def write(self, key: str, content: bytes, replaces: str | None) -> None:
        """Put a file in the place of the one with this tag; None says that there is none yet.

        Raises Conflict where something else is there.
        """

    def remove(self, key: str) -> None:
        """Remove a file of its own; one that isn't there is no error."""

    def publish(self, folder: str, files: Mapping[str, bytes]) -> None:
        """Make a folder of these files, one of them the manifest.

        Raises Conflict where its name was ever used, also by a folder that was purged or never finished.
        """

    def published(self, parent: str = "") -> list[str]:
        """The keys of all folders that are there, below one parent (`lenet`) or in the whole storage."""

    def used(self, parent: str) -> list[str]:
        """Every name below a parent that `publish` would refuse."""

    def soft_delete(self, folder: str) -> None:
        """Take a folder out of sight, so that `restore` can bring it back. Raises NotFound."""

    def restore(self, folder: str) -> None:
        """Bring a soft-deleted folder back. Raises NotFound where it isn't deleted, or was purged."""

    def purge(self, grace_s: float) -> list[str]:
        """Remove the files of folders that were soft-deleted longer ago than this, in seconds; their keys."""
