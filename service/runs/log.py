"""The round log: one JSON object a line, appended and flushed, each line carrying the hash of the one before.

`kind` says what a line is: `begin` (also after a resume), `round`, `epoch`, `evaluation`, `plateau`, `disturbed`,
`end`. A last line that was cut off by a crash is dropped when the log is opened for writing; any other damage breaks
the chain and is refused.
"""

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

from service.errors import RunError
from service.runs.chain import GENESIS, Entry, checked, hash_of, new_line


class RoundLog:
    """A `Log` in a file."""

    def __init__(self, path: Path, before_write: Callable[[], object] = lambda: None) -> None:
        """Open or begin a log.

        Args:
            path: its file.
            before_write: called before each line is written; what it raises keeps the line from being written.

        Raises:
            RunError: its chain is broken.
        """
        before_write()
        self._before_write = before_write
        self._previous, length = GENESIS, 0
        for line in _whole_lines(path):
            self._previous = checked(path, line, self._previous)
            length += len(line)
        self._file = path.open("ab")
        self._file.truncate(length)

    def append(self, kind: str, *, sync: bool = True, **values: Any) -> Entry:
        """See `Log.append`."""
        entry, line = new_line(kind, values, self._previous)
        self._before_write()
        self._file.write(line)
        self._file.flush()
        if sync:
            os.fsync(self._file.fileno())
        self._previous = hash_of(line)
        return entry

    def after(self, job: Callable[[], object]) -> None:
        """See `Log.after`."""
        self._before_write()
        job()

    def __enter__(self) -> "RoundLog":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()


def entries(path: Path) -> Iterator[Entry]:
    """Every whole line of a log, checked against the chain. Raises RunError where that is broken."""
    previous = GENESIS
    for line in _whole_lines(path):
        previous = checked(path, line, previous)
        yield json.loads(line)


def first_entry(path: Path) -> Entry:
    """The first entry of a log. Raises RunError where there is none that can be read."""
    entry = next(entries(path), None)
    if entry is None:
        raise RunError(f"{path} has no entry yet")
    return entry


def tail(path: Path, position: int) -> tuple[list[Entry], int]:
    """The whole lines of a log behind a position in bytes, and the position behind them; their chain is not checked.

    Lines end at a line feed and nowhere else: a text in one may hold what other programs break lines at.
    Raises RunError where a line is no JSON.
    """
    try:
        with path.open("rb") as file:
            file.seek(position)
            content = file.read()
    except FileNotFoundError:
        return [], position
    whole = content[: content.rfind(b"\n") + 1]
    try:
        return [json.loads(line) for line in whole.split(b"\n")[:-1]], position + len(whole)
    except ValueError as error:
        raise RunError(f"{path} is damaged: {error}") from None


def _whole_lines(path: Path) -> Iterator[bytes]:
    if not path.exists():
        return
    with path.open("rb") as file:
        for line in file:
            if line.endswith(b"\n"):
                yield line
