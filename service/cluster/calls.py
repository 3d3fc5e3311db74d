"""Pure function calls on a cluster, one task each, that survive what rounds survive."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import wait
from contextlib import contextmanager
from secrets import token_hex
from time import monotonic
from typing import Any, Generic, TypeVar

from distributed import KilledWorker

from service.cluster.connection import LOST, Cluster
from service.cluster.failure_policy import FIRST_PATIENCE_SECONDS, LEAST_PATIENCE_SECONDS, TasksLost
from service.cluster.fingerprints import FingerprintGuard, WorkerDiffers, why_excluded
from service.cluster.liveness import blocking_workers, waits_for_other_runs
from service.cluster.quarantine import Quarantine
from service.cluster.submission import SubmittedTasks, TaskSubmitter
from service.cluster.window import POLL_SECONDS
from service.cluster.worker_pool import WorkerPool
from service.cluster.workers import silent_workers, why_paused

Result = TypeVar("Result")


class PendingCalls(Generic[Result]):
    """Calls of one function, in flight until each has returned.

    Attributes:
        returned: what came back so far, by the number of the call.
        patience_s: how many seconds may go by without anything coming back.
    """

    def __init__(
        self,
        cluster: Cluster,
        function: Callable[..., Result],
        arguments: Sequence[tuple[Any, ...]],
        quarantine: Quarantine,
        guard: FingerprintGuard | None = None,
    ) -> None:
        """Nothing is submitted before `submit`.

        Args:
            cluster: where the calls are made.
            function: a pure function.
            arguments: for each call.
            quarantine: see `WorkerPool`.
            guard: which workers may make them; None where all may.
        """
        self.returned: dict[int, Result] = {}
        self.patience_s = FIRST_PATIENCE_SECONDS
        self._cluster = cluster
        self._function = function
        self._arguments = arguments
        self._quarantine = quarantine
        self._guard = guard
        self._run_tag = token_hex(4)
        self._pool = WorkerPool(cluster, self._run_tag, quarantine)
        self._submitter = TaskSubmitter(cluster, self._pool, self._run_tag)
        self._calls: dict[int, SubmittedTasks] = {}

    def finish(self) -> None:
        """Submit the calls that have not returned, and wait for them. What is still in flight then is cancelled.

        Raises:
            TasksLost: the scheduler, the last worker or an answer is lost, a call kills its workers, or nothing came
                back for too long. What has returned until then is kept.
        """
        self._cluster.membership.departures()  # earlier ones don't matter
        try:
            self._submit_missing()
            while self._calls:
                self._wait_for_one()
        finally:
            pending = [group for tasks in self._calls.values() for group in tasks.groups]
            self._calls.clear()
            self._cluster.cancel(pending)

    def _submit_missing(self) -> None:
        with self._scheduler_needed():
            self._pool.refresh()
            if not self._pool.has_eligible:
                raise self._lost("no worker is left that may take tasks")
            for number, values in enumerate(self._arguments):
                if number not in self.returned:
                    tasks = SubmittedTasks(self._run_tag, self._pool.restricted_to)
                    name = f"call-{self._submitter.next_tag()}"
                    call = (self._guard, self._function, *values)
                    tasks.awaited = self._submitter.submit(tasks, _guarded, [call], name)
                    self._submitter.fetch(tasks)
                    self._calls[number] = tasks

    def _wait_for_one(self) -> None:
        """Wait until at least one call has returned."""
        began, glances = monotonic(), 0
        while not (done := self._finished()):
            wait([tasks.results for tasks in self._calls.values()], POLL_SECONDS, "FIRST_COMPLETED")
            glances += 1
            if not self._cluster.is_connected:
                raise self._lost("the scheduler was lost")
            if self._cluster.membership.worker_left.is_set():
                self._go_on_without_departed()
            waited_s = monotonic() - began
            if waited_s > LEAST_PATIENCE_SECONDS and glances % round(1 / POLL_SECONDS) == 0:
                self._raise_if_blocked(overdue=waited_s > self.patience_s)
        for number in done:
            self.returned[number] = self._result(self._calls[number])
            self._cluster.cancel(self._calls.pop(number).groups)

    def _finished(self) -> list[int]:
        return [number for number, tasks in self._calls.items() if tasks.results.done()]

    def _go_on_without_departed(self) -> None:
        """Dask makes the calls of a worker that left again elsewhere; fetches may still be reading from that worker."""
        self._cluster.membership.departures()
        with self._scheduler_needed():
            if not self._cluster.workers:
                raise self._lost("the last worker left")
            for tasks in self._calls.values():
                if tasks.restricted_to and tasks.restricted_to.isdisjoint(self._cluster.workers):
                    raise self._lost("a worker left")
                self._submitter.fetch(tasks)

    def _raise_if_blocked(self, *, overdue: bool) -> None:
        """Raise TasksLost where calls wait for a frozen worker, or have been waiting for anything too long."""
        with self._scheduler_needed():
            workers, calls = self._cluster.worker_info(), self._all_calls()
            blocking = blocking_workers(self._cluster, calls)
            frozen = blocking & silent_workers(workers)
            if frozen:
                raise self._lost("a worker is frozen", frozen, reconnect=True)
            if overdue and not waits_for_other_runs(self._cluster, calls):
                raise self._lost(why_paused(workers) or "an answer is overdue", blocking, reconnect=True)

    def _all_calls(self) -> SubmittedTasks:
        together = SubmittedTasks(self._run_tag, frozenset())
        for tasks in self._calls.values():
            together.inputs.update(tasks.inputs)
            together.awaited.extend(tasks.awaited)
        return together

    def _result(self, tasks: SubmittedTasks) -> Result:
        try:
            result: Result = tasks.results.result()[0]
            return result
        except KilledWorker:
            raise self._lost("a task ended with its worker") from None
        except WorkerDiffers as error:
            expected = self._guard.expected if self._guard else None
            self._quarantine.exclude(error.worker, why_excluded(error.worker, error.found, expected))
            raise self._lost("a worker would have computed other bits") from None
        except LOST:
            if any(task.status == "error" for task in tasks.awaited):
                raise
            raise self._lost("an answer was lost", reconnect=True) from None

    @contextmanager
    def _scheduler_needed(self) -> Iterator[None]:
        """Turn a connection that is lost meanwhile into TasksLost."""
        try:
            yield
        except LOST:
            raise self._lost("the scheduler was lost", reconnect=True) from None

    def _lost(self, why: str, blocking: frozenset[str] = frozenset(), *, reconnect: bool = False) -> TasksLost:
        return TasksLost(why, len(self._calls), blocking, reconnect=reconnect)


def _guarded(guard: FingerprintGuard | None, function: Callable[..., Result], *arguments: Any) -> Result:
    """Runs on a worker."""
    if guard:
        guard.check()
    return function(*arguments)
