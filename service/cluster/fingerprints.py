"""Workers whose bits would differ from a run's get none of its tasks."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from distributed import get_worker

from ops.engines import Choice
from ops.engines.fingerprint import Fingerprint, fingerprint_of
from service.errors import ClusterError
from service.rounds.job import Job


class WorkerDiffers(Exception):
    """A task ran on a worker that would compute other bits. It ended before it computed any.

    Attributes:
        worker: the worker's address.
        found: what it is, for people.
    """

    def __init__(self, worker: str, found: str) -> None:
        super().__init__(worker, found)
        self.worker = worker
        self.found = found


@dataclass(frozen=True)
class FingerprintGuard:
    """Travels with a task and keeps it from being computed by a worker that differs.

    Attributes:
        choice: the engine.
        expected: the fingerprint that a worker must have.
    """

    choice: Choice
    expected: Fingerprint

    def check(self) -> None:
        """Raise WorkerDiffers where this worker would compute other bits."""
        found = fingerprint_of(self.choice)
        if found != self.expected:
            raise WorkerDiffers(get_worker().address, str(found))


def check_fingerprint(job: Job) -> None:
    """Raise WorkerDiffers where the worker that this runs on may not compute a job's tasks."""
    if job.fingerprint is not None:
        FingerprintGuard(job.choice, job.fingerprint).check()


def common_fingerprint(found: Mapping[str, Fingerprint], recorded: Fingerprint | None) -> Fingerprint:
    """The fingerprint that a run's workers must have: the recorded one, or else that of most workers.

    Args:
        found: each worker's fingerprint, by address.
        recorded: the one that the run began with; None for a new run, and for one begun before there were fingerprints.

    Raises:
        ClusterError: no worker has the recorded one, or there are no workers.
    """
    if not found:
        raise ClusterError("no worker answered what it is")
    if recorded is None:
        counts = Counter(found.values())
        return max(counts, key=lambda fingerprint: (counts[fingerprint], fingerprint.lanes, str(fingerprint)))
    if recorded not in found.values():
        kinds = "; ".join(sorted({str(fingerprint) for fingerprint in found.values()}))
        raise ClusterError(
            f"the run was computed by {recorded}, and all workers would compute other bits ({kinds}): start workers "
            "of that kind, or let a new run go on from its state with `atelier train --fork`"
        )
    return recorded


def why_excluded(worker: str, found: str, expected: Fingerprint | None) -> str:
    """One line for people about a worker that gets no tasks."""
    return f"worker {worker} gets no tasks: it would compute other bits ({found}; the run has {expected})"
