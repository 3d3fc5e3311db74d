"""Pure function calls on a cluster, one task each, that survive what rounds survive."""

from collections.abc import Callable, Sequence
from concurrent.futures import wait
from secrets import token_hex
from time import monotonic
from typing import Any, Generic, TypeVar

from service.cluster.connection import Cluster
from service.cluster.failure_policy import FIRST_PATIENCE_SECONDS, LEAST_PATIENCE_SECONDS
from service.cluster.fingerprints import FingerprintGuard
from service.cluster.liveness import blocking_workers
from service.cluster.quarantine import Quarantine
from service.cluster.submission import SubmittedTasks, TaskSubmitter
from service.cluster.waiting import POLL_SECONDS, Waiter
from service.cluster.worker_pool import WorkerPool
from service.cluster.workers import silent_workers

Result = TypeVar("Result")


class PendingCalls(Waiter, Generic[Result]):
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
        """Nothing is submitted before `finish`.

        Args:
            cluster: where the calls are made.
            function: a pure function.
            arguments: for each call.
            quarantine: see `WorkerPool`.
            guard: which workers may make them; None where all may.
        """
        self._run_tag = token_hex(4)
        pool = WorkerPool(cluster, self._run_tag, quarantine)
        super().__init__(cluster, pool, quarantine, guard.expected if guard else None)
        self.returned: dict[int, Result] = {}
        self.patience_s = FIRST_PATIENCE_SECONDS
        self._function = function
        self._arguments = arguments
        self._guard = guard
        self._submitter = TaskSubmitter(cluster, pool, self._run_tag)
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
            self.cancel()

    def cancel(self) -> None:
        """Withdraw the calls that are in flight."""
        pending = [group for tasks in self._calls.values() for group in tasks.groups]
        self._calls.clear()
        self._cluster.cancel(pending)

    @property
    def num_tasks(self) -> int:
        """How many tasks are in flight."""
        return len(self._calls)

    def _submit_missing(self) -> None:
        with self._scheduler_needed():
            self._refresh_pool()
            for number, values in enumerate(self._arguments):
                if number not in self.returned and number not in self._calls:
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
            self._check_scheduler()
            if self._cluster.membership.worker_left.is_set():
                self._go_on_without_departed()
            waited_s = monotonic() - began
            if waited_s > LEAST_PATIENCE_SECONDS and glances % round(1 / POLL_SECONDS) == 0:
                self._raise_if_blocked(overdue=waited_s > self.patience_s)
        self._take(done)

    def _take(self, done: list[int]) -> None:
        for number in done:
            (self.returned[number],) = self._results_of(self._calls[number])
            self._cluster.cancel(self._calls.pop(number).groups)

    def _finished(self) -> list[int]:
        return [number for number, tasks in self._calls.items() if tasks.results.done()]

    def _go_on_without_departed(self) -> None:
        """Dask makes the calls of a worker that left again elsewhere; fetches may still be reading from that worker."""
        self._cluster.membership.departures()
        self._fetch_again()

    def _fetch_again(self) -> None:
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
            calls = self._all_calls()
            frozen = blocking_workers(self._cluster, calls) & silent_workers(self._cluster.worker_info())
            if frozen:
                raise self._lost("a worker is frozen", frozen, reconnect=True)
        if overdue:
            self._check_overdue(calls)

    def _all_calls(self) -> SubmittedTasks:
        together = SubmittedTasks(self._run_tag, frozenset())
        for tasks in self._calls.values():
            together.inputs.update(tasks.inputs)
            together.awaited.extend(tasks.awaited)
        return together


def _guarded(guard: FingerprintGuard | None, function: Callable[..., Result], *arguments: Any) -> Result:
    """Runs on a worker."""
    if guard:
        guard.check()
    return function(*arguments)
