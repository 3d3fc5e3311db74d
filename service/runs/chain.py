"""The lines of a round log: one JSON object each, with the hash of the line before. See `service.runs.log`."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from hashlib import sha256
from types import TracebackType
from typing import Any, Protocol

from service.errors import RunError
from service.files import canonical_json

Entry = dict[str, Any]
"""One line of the log, with at least `kind`, `at` (ISO 8601, UTC) and `previous` (SHA-256, hex)."""

GENESIS = "0" * 64
"""What the first line gives as the hash of the line before it."""


class Log(Protocol):
    """A round log open for appending, by the process that holds the run. A context manager."""

    def append(self, kind: str, *, sync: bool = True, **values: Any) -> Entry:
        """Add a line.

        Args:
            kind: what it is.
            sync: whether to have it on the disk before returning, with those before it. Of rounds that arrive many at
                a time the last one is enough: after a power failure they are computed again.
            values: the rest of it.

        Raises:
            Conflict: another process has taken the run over.
        """

    def after(self, job: Callable[[], object]) -> None:
        """Do something once all lines so far are where they stay. It may be done later, but before `append` ends."""

    def __enter__(self) -> "Log":
        """Open it already is."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close it."""


def new_line(kind: str, values: dict[str, Any], previous: str) -> tuple[Entry, bytes]:
    """A line that follows another one: its entry, and its bytes. previous: the hash of the line before."""
    entry = {"kind": kind, **values, "at": datetime.now(UTC).isoformat(), "previous": previous}
    return entry, (canonical_json(entry) + "\n").encode()


def hash_of(line: bytes) -> str:
    """What the next line gives as the hash of this one."""
    return sha256(line).hexdigest()


def checked(where: object, line: bytes, previous: str) -> str:
    """The hash of a line. Raises RunError where it doesn't follow the line with the hash `previous`."""
    try:
        intact = json.loads(line)["previous"] == previous
    except (ValueError, KeyError, TypeError):
        intact = False
    if not intact:
        raise RunError(f"{where}: the chain is broken at the line that begins with {line[:40]!r}")
    return hash_of(line)
