"""Workers that get no tasks: for a while, because they kept a run waiting, or never, because their bits differ."""

from collections.abc import Iterable
from queue import Empty, SimpleQueue
from time import monotonic

from service.cluster.code_version import code_version, why_other_code

QUARANTINE_SECONDS = 30.0
"""How long a quarantine lasts; twice as long each time that the same worker is put into it again."""


class Quarantine:
    """The workers of one executor that get no tasks, by address."""

    def __init__(self) -> None:
        self._until: dict[str, float] = {}
        self._times: dict[str, int] = {}
        self._excluded: set[str] = set()
        self._notices: SimpleQueue[str] = SimpleQueue()
        self._other_code: set[tuple[str, str]] = set()

    @property
    def workers(self) -> frozenset[str]:
        """The workers that get no tasks now."""
        now = monotonic()
        return self.excluded | {worker for worker, until in self._until.items() if until > now}

    @property
    def excluded(self) -> frozenset[str]:
        """The workers that never get any."""
        return frozenset(self._excluded)

    def add(self, workers: Iterable[str]) -> None:
        """Put workers into quarantine for a while, as far as they aren't in it already."""
        for worker in frozenset(workers) - self.workers:
            self._times[worker] = self._times.get(worker, 0) + 1
            self._until[worker] = monotonic() + QUARANTINE_SECONDS * 2 ** (self._times[worker] - 1)

    def exclude(self, worker: str, why: str) -> None:
        """Give a worker no tasks any more, and leave a notice why, once."""
        if worker not in self._excluded:
            self._excluded.add(worker)
            self.notify(why)

    def notify(self, notice: str) -> None:
        """Leave a notice for people."""
        self._notices.put(notice)

    def note_code(self, worker: str, code: str) -> None:
        """Leave a notice, once, about a worker that runs other code than this process. code: its `code_version`."""
        if code != code_version() and (worker, code) not in self._other_code:
            self._other_code.add((worker, code))
            self.notify(why_other_code(worker, code))

    def take_notices(self) -> list[str]:
        """The notices that people have not seen yet, one line each."""
        notices: list[str] = []
        while True:
            try:
                notices.append(self._notices.get_nowait())
            except Empty:
                return notices
