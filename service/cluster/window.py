"""The sliding window over a run's rounds: submits ahead, waits for the oldest, reacts to workers that leave."""

from collections.abc import Generator
from concurrent.futures import wait
from secrets import token_hex
from time import monotonic

from service.cluster.connection import Cluster
from service.cluster.in_flight import RoundsInFlight
from service.cluster.liveness import needs_resubmission
from service.cluster.quarantine import Quarantine
from service.cluster.submission import RoundSubmitter
from service.cluster.waiting import POLL_SECONDS, Waiter
from service.cluster.worker_pool import WorkerPool
from service.rounds.executor import ClusterEvent
from service.rounds.job import Job
from service.rounds.plan import Round
from service.rounds.schedule import RoundSchedule
from service.rounds.tasks import RoundResult
from service.rounds.train_state import TrainState


class RoundWindow(Waiter):
    """Computes rounds from one state on, until a long chain of them ends with a result that brings the state.

    Attributes:
        patience_s: how many seconds an answer may take before the window is given up.
    """

    def __init__(
        self,
        cluster: Cluster,
        job: Job,
        state: TrainState,
        first: Round,
        schedule: RoundSchedule,
        *,
        quarantine: Quarantine,
        warm: set[str],
        patience_s: float,
    ) -> None:
        """Nothing is submitted before `results` is iterated.

        Args:
            cluster: where the rounds are computed.
            job: the training.
            state: what `first` starts from.
            first: the round to begin with.
            schedule: which round follows which. It is kept up to date with what each round measured.
            quarantine: see `WorkerPool`.
            warm: see `WorkerPool`.
            patience_s: see above.
        """
        run_tag = token_hex(4)
        pool = WorkerPool(cluster, run_tag, quarantine, job=job, warm=warm)
        super().__init__(cluster, pool, quarantine, job.fingerprint)
        self.patience_s = patience_s
        self._job = job
        self._schedule = schedule
        self._submitter = RoundSubmitter(cluster, job, pool, run_tag)
        self._in_flight = RoundsInFlight(cluster, self._submitter, schedule, first, state)
        self._state: TrainState | None = state

    def results(self) -> Generator[RoundResult | ClusterEvent]:
        """The results of all rounds, in order. Closing the generator cancels what is still in flight.

        Yields:
            Results, and an event for each worker that left while others could do its tasks.

        Raises:
            TasksLost: no worker is left, or the others can't do a departed one's tasks; a task kills its workers; the
                scheduler or an answer is lost, or an answer is overdue.
        """
        self._cluster.membership.departures()  # earlier ones don't matter
        try:
            while True:
                if self._in_flight and self._cluster.membership.worker_left.is_set():
                    yield self._replace_departed()
                elif not self._fill():
                    return
                elif self._wait_for_result():
                    tasks = self._in_flight.current
                    self._results_of(tasks)
                    result = tasks.result(self._job)
                    self._schedule.note(result.round, result.measured)
                    yield result
                    self._state = result.state
                    self._in_flight.take_current()
        finally:
            self._in_flight.cancel()
            self._cluster.cancel([self._pool.warm_ups])

    @property
    def num_tasks(self) -> int:
        """How many tasks are in flight."""
        return self._in_flight.num_tasks

    def _fill(self) -> bool:
        """Submit rounds up to the limit, placed on the workers there are now. False when nothing is in flight."""
        with self._scheduler_needed():
            if self._refresh_pool() and self._in_flight:
                self._in_flight.withdraw_not_begun()
            self._in_flight.fill()
        return bool(self._in_flight)

    def _wait_for_result(self) -> bool:
        """Wait for the result of the oldest round. False where a worker left first."""
        tasks, deadline = self._in_flight.current, monotonic() + self.patience_s
        while not wait([tasks.results], POLL_SECONDS).done:
            self._check_scheduler()
            if self._cluster.membership.worker_left.is_set():
                return False
            self._fill()
            if monotonic() > deadline:
                self._check_overdue(tasks)
                deadline = monotonic() + self.patience_s
        return True

    def _replace_departed(self) -> ClusterEvent:
        """Go on without a worker that left.

        Dask gives its tasks to others. Where it can't, the oldest round is submitted again from the state that it
        starts from.
        """
        lost_tasks, tasks = self._cluster.membership.departures(), self._in_flight.current
        with self._scheduler_needed():
            self._pool.refresh()
            if not self._pool.has_eligible:
                raise self._lost("the last worker left")
            if not needs_resubmission(self._cluster, tasks):
                withdrawn = self._in_flight.withdraw(keep=1)
                self._submitter.fetch(tasks)  # the fetch at work may still be reading from the worker that left
            elif self._state is None:
                raise self._lost("a worker left")
            else:
                withdrawn = self._in_flight.resubmit_current(self._state)
        is_failure = not lost_tasks.isdisjoint(tasks.inputs)
        return ClusterEvent("a worker left", tasks.round.number, withdrawn, is_failure=is_failure)
