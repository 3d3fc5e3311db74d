"""One tracker of a run, and how far it is: what it can't take now it gets later."""

import json
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from time import monotonic

from service.errors import NotFound
from service.files import canonical_json
from service.registry import ModelVersion
from service.runs import Run
from service.tracking.base import TrackedRun, Tracker, TrackerModule
from service.tracking.figures import measured_afterwards

LONGEST_WAIT = 60.0
"""Seconds between two tries while a tracker fails; the first wait is 1 s, each is twice as long as the one before."""


@dataclass
class Progress:
    """How far a tracker is with a run, on disk.

    Attributes:
        position: how much of the round log it has, as `Run.tail` counts.
        published: the model that it has, as `name:version`; empty for none.
        saved: what the tracker itself remembers.
    """

    position: int = 0
    published: str = ""
    saved: dict[str, str] = field(default_factory=dict)


class Feed:
    """Hands a run to one tracker, and remembers how far it is.

    Attributes:
        problem: why the last try failed; empty where it didn't.
    """

    def __init__(self, name: str, module: TrackerModule, run: TrackedRun) -> None:
        """Begin, or go on where a process before this one was.

        Args:
            name: of the tracker.
            module: which has the tracker.
            run: the run.
        """
        self.name = name
        self.problem = ""
        self._module = module
        self._run = run
        self._key = f"tracking/{name}.json"
        self._progress = _read(run.files, self._key)
        self._tracker: Tracker | None = None
        self._ended = False
        self._wait, self._due = 1.0, 0.0

    def step(self, model: ModelVersion | None, outcome: str | None, *, patient: bool = True) -> bool:
        """Hand over what is new. Whatever goes wrong is kept as `problem`.

        Args:
            model: the model that the run ended in; None as long as there is none.
            outcome: the run's status, once nothing more will come; None before.
            patient: whether to leave out tries that come too soon after one that failed.

        Returns:
            Whether the tracker has everything.
        """
        if self._ended:
            return True
        if patient and monotonic() < self._due:
            return False
        try:
            self._hand_over(model, outcome)
        except Exception as error:  # another program's, with errors of its own kind; a run must not end with them
            self.problem = _first_line(error)
            self._due, self._wait = monotonic() + self._wait, min(2 * self._wait, LONGEST_WAIT)
            return False
        self.problem, self._wait, self._due = "", 1.0, 0.0
        return True

    def _hand_over(self, model: ModelVersion | None, outcome: str | None) -> None:
        if self._tracker is None:
            self._tracker = self._module.tracker(self._run, self._progress.saved)
            self._save()
        entries, position = self._run.files.tail(self._progress.position)
        if entries:
            self._tracker.add(entries)
            self._progress.position = position
            self._save()
        if model and self._progress.published != model.label:
            logged = {e["epoch"] for e in self._run.files.readable_entries() if e["kind"] == "evaluation"}
            self._tracker.publish(model, measured_afterwards(model.read_json("history"), logged, model.created))
            self._progress.published = model.label
            self._save()
        if outcome is not None:
            self._tracker.end(outcome)
            self._ended = True

    def _save(self) -> None:
        self._run.files.write_text(self._key, canonical_json(asdict(self._progress)) + "\n")


def _read(run: Run, key: str) -> Progress:
    """What was kept with the run; where it is damaged or missing, the tracker gets everything again."""
    with suppress(OSError, NotFound, ValueError, TypeError):
        return Progress(**json.loads(run.read_text(key)))
    return Progress()


def _first_line(error: Exception) -> str:
    text = str(error).strip().partition("\n")[0]
    return text[:200] or type(error).__name__
