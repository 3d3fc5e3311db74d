"""What whoever waits for tasks does about a scheduler, workers and results that are lost meanwhile."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from distributed import KilledWorker

from ops.engines.fingerprint import Fingerprint
from service.cluster.connection import LOST, Cluster
from service.cluster.failure_policy import TasksLost
from service.cluster.fingerprints import WorkerDiffers, why_excluded
from service.cluster.liveness import blocking_workers, waits_for_other_runs
from service.cluster.quarantine import Quarantine
from service.cluster.submission import SubmittedTasks
from service.cluster.worker_pool import WorkerPool
from service.cluster.workers import why_paused

POLL_SECONDS = 0.05
"""How often the coordinator looks at the cluster while it waits for an answer."""


class Waiter(ABC):
    """Waits for tasks on a cluster. Whatever is lost becomes TasksLost: then the tasks have to be submitted again."""

    def __init__(
        self, cluster: Cluster, pool: WorkerPool, quarantine: Quarantine, fingerprint: Fingerprint | None
    ) -> None:
        """Begin with nothing in flight.

        Args:
            cluster: where the tasks are computed.
            pool: the workers that they are placed on.
            quarantine: gets the workers that differ.
            fingerprint: what workers must have; None where any will do.
        """
        self._cluster = cluster
        self._pool = pool
        self._quarantine = quarantine
        self._fingerprint = fingerprint

    @property
    @abstractmethod
    def num_tasks(self) -> int:
        """How many tasks are in flight."""

    @contextmanager
    def _scheduler_needed(self) -> Iterator[None]:
        """Turn a connection that is lost meanwhile into TasksLost."""
        try:
            yield
        except LOST:
            raise self._lost("the scheduler was lost", reconnect=True) from None

    def _check_scheduler(self) -> None:
        """Raise TasksLost where the scheduler is gone, or hasn't answered for a while and doesn't now."""
        if not self._cluster.is_connected:
            raise self._lost("the scheduler was lost")
        with self._scheduler_needed():
            self._cluster.keep_in_touch()

    def _refresh_pool(self) -> bool:
        """See `WorkerPool.refresh`. Raises TasksLost where no worker may take tasks."""
        changed = self._pool.refresh()
        if not self._pool.has_eligible:
            raise self._lost("no worker is left that may take tasks")
        return changed

    def _check_overdue(self, tasks: SubmittedTasks) -> None:
        """Raise TasksLost for tasks whose results are overdue, unless their workers are busy with other runs."""
        with self._scheduler_needed():
            blocking = blocking_workers(self._cluster, tasks)
            if not blocking and waits_for_other_runs(self._cluster, tasks):
                return
            why = why_paused(self._cluster.worker_info()) or "an answer is overdue"
        raise self._lost(why, blocking, reconnect=True)

    def _results_of(self, tasks: SubmittedTasks) -> list[Any]:
        """The awaited results, which are there. Raises what a task raised, or TasksLost."""
        try:
            return tasks.results.result()
        except KilledWorker:
            raise self._lost("a task ended with its worker") from None
        except WorkerDiffers as error:
            self._quarantine.exclude(error.worker, why_excluded(error.worker, error.found, self._fingerprint))
            raise self._lost("a worker would have computed other bits") from None
        except LOST:
            if any(task.status == "error" for task in tasks.awaited):
                raise
            raise self._lost("an answer was lost", reconnect=True) from None

    def _lost(self, why: str, blocking: frozenset[str] = frozenset(), *, reconnect: bool = False) -> TasksLost:
        return TasksLost(why, self.num_tasks, blocking, reconnect=reconnect)
