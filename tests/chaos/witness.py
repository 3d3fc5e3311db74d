"""Notes which tasks each worker begins and ends: what was computed, and how often, as the workers themselves saw it.

Workers load this module with `--preload`; it writes to a file in their working folder.
"""

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from time import time
from typing import Any

from distributed import Worker, WorkerPlugin

KINDS = ("round", "sum", "state", "report")
"""Tasks that compute something; the others hand a state over, or warm a worker up."""


@dataclass(frozen=True)
class Event:
    """A task began (`state` is "executing") or ended on the worker with this process id, `at` seconds since 1970."""

    at: float
    process: int
    state: str
    key: str

    @property
    def kind(self) -> str:
        return self.key.partition("-")[0]

    @property
    def work(self) -> tuple[str, ...]:
        """What the task computes: its key without the name of the window that it was submitted in."""
        kind, _, *place = self.key.split("-")
        return kind, *place


class Witness(WorkerPlugin):
    """Writes a line whenever a task begins or ends, at once, so that a kill can't take it away."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("a", buffering=1)

    def transition(self, key: Any, start: str, finish: str, **_: Any) -> None:
        if "executing" in (start, finish):
            self._file.write(f"{time()} {finish} {key}\n")


async def dask_setup(worker: Worker) -> None:
    """Called by Dask in each new worker."""
    await worker.plugin_add(Witness(Path(f"tasks-{os.getpid()}")))


def events(folder: Path) -> Iterator[Event]:
    """What the workers with this working folder noted, worker by worker."""
    for path in folder.glob("tasks-*"):
        for line in path.read_text().splitlines():
            at, state, key = line.split(" ", 2)
            yield Event(float(at), int(path.name.partition("-")[2]), state, key)


def begun_again(seen: Iterable[Event]) -> int:
    """How many tasks were begun that had been begun before."""
    begun = [event.work for event in seen if event.state == "executing" and event.kind in KINDS]
    return len(begun) - len(set(begun))
