"""Workers that get no tasks for a while, because they kept a run waiting."""

from collections.abc import Iterable
from time import monotonic

QUARANTINE_SECONDS = 30.0
"""How long a quarantine lasts; twice as long each time that the same worker is put into it again."""


class Quarantine:
    """The quarantined workers of one executor, by address. None of it can change a bit of a result."""

    def __init__(self) -> None:
        self._until: dict[str, float] = {}
        self._times: dict[str, int] = {}

    @property
    def workers(self) -> frozenset[str]:
        """The workers that are in quarantine now."""
        now = monotonic()
        return frozenset(worker for worker, until in self._until.items() if until > now)

    def add(self, workers: Iterable[str]) -> None:
        """Put workers into quarantine, as far as they aren't in it already."""
        for worker in frozenset(workers) - self.workers:
            self._times[worker] = self._times.get(worker, 0) + 1
            self._until[worker] = monotonic() + QUARANTINE_SECONDS * 2 ** (self._times[worker] - 1)
