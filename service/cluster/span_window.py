"""The window over a run's spans: two tasks in flight, each of which computes several rounds in one process."""

from collections import deque
from collections.abc import Generator, Sequence
from concurrent.futures import wait
from dataclasses import dataclass, field
from secrets import token_hex
from time import monotonic

from distributed import Future, get_worker

from ops.engines import find
from service.cluster.connection import Cluster
from service.cluster.fingerprints import check_fingerprint
from service.cluster.quarantine import Quarantine
from service.cluster.submission import SubmittedTasks, TaskSubmitter
from service.cluster.waiting import POLL_SECONDS, Waiter
from service.cluster.worker_pool import WorkerPool
from service.rounds.executor import ClusterEvent
from service.rounds.job import Job
from service.rounds.plan import Round
from service.rounds.schedule import RoundSchedule
from service.rounds.spans import SpanResult, SpanStart, run_span
from service.rounds.tasks import RoundResult
from service.rounds.train_state import TrainState

AHEAD = 2
"""How many spans are with the scheduler at a time: one is computed, the next one waits on the worker."""

SPAN_SECONDS = 1.0
"""About how long a span takes: much longer than the few milliseconds between two, and short enough to cancel."""

MAX_ROUNDS = 64
"""The most rounds of a span, however short they are."""

CHAIN_SPANS = 500
"""After so many spans a new chain begins from the state: Dask's scheduler remembers how each result was made."""


@dataclass
class SubmittedSpan(SubmittedTasks):
    """The task of one span.

    Attributes:
        rounds: how many rounds it was asked for.
        task: the task, whose result the next span takes.
    """

    rounds: int = field(kw_only=True)
    task: Future | None = None


class SpanWindow(Waiter):
    """Computes rounds from one state on, all shards of several rounds as one task.

    It suits a cluster with one worker, or whose workers are threads of this process; see `num_threads`. It ends when
    another worker has joined, and where anything is lost: a span is short enough to be computed again.

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
        """See `service.cluster.window.RoundWindow`."""
        run_tag = self._run_tag = token_hex(4)
        pool = WorkerPool(cluster, run_tag, quarantine, job=job, warm=warm)
        super().__init__(cluster, pool, quarantine, job.fingerprint)
        self.patience_s = patience_s
        self._job = job
        self._threads = 0
        self._schedule = schedule
        self._start = SpanStart(state, first, schedule.copy())
        self._submitter = TaskSubmitter(cluster, pool, run_tag)
        self._spans: deque[SubmittedSpan] = deque()
        self._last: Future | None = None
        self._submitted = 0
        self._rounds = 1

    def results(self) -> Generator[RoundResult | ClusterEvent]:
        """The results of all rounds, in order. Closing the generator cancels what is still in flight.

        Raises:
            TasksLost: a worker left, the scheduler or an answer is lost, or an answer is overdue.
        """
        self._cluster.membership.departures()  # earlier ones don't matter
        try:
            while self._fill():
                began = monotonic()
                span = self._wait_for_span()
                if span is None:
                    return
                for result in span.results:
                    self._schedule.note(result.round, result.measured)
                    yield result
                self._adapt(len(span.results), monotonic() - began)
        finally:
            self._cancel()
            self._cluster.cancel([self._pool.warm_ups])

    @property
    def num_tasks(self) -> int:
        """How many tasks are in flight."""
        return len(self._spans)

    def _fill(self) -> bool:
        """Submit spans up to the limit. False when nothing is in flight."""
        with self._scheduler_needed():
            self._refresh_pool()
            threads = num_threads(self._job, self._cluster.workers)
            self._threads = self._threads or max(threads, 1)
            suits = threads == self._threads
            while len(self._spans) < AHEAD and self._submitted < CHAIN_SPANS and (suits or not self._submitted):
                self._submit()
        return bool(self._spans)

    def _submit(self) -> None:
        tag = f"{self._submitter.next_tag()}-{self._submitted}"
        span = SubmittedSpan(self._run_tag, self._pool.restricted_to, rounds=self._rounds)
        arguments = (self._job, self._last or self._start, self._rounds, self._threads)
        (span.task,) = self._submitter.submit(span, _span, [arguments], f"span-{tag}")
        span.awaited = [span.task]
        self._submitter.fetch(span)
        self._last = span.task
        self._submitted += 1
        self._spans.append(span)

    def _wait_for_span(self) -> SpanResult | None:
        """The result of the oldest span; None where the run had ended before it."""
        tasks, deadline = self._spans[0], monotonic() + self.patience_s
        while not wait([tasks.results], POLL_SECONDS).done:
            self._check_scheduler()
            if self._cluster.membership.worker_left.is_set():
                raise self._lost("a worker left")
            if monotonic() > deadline:
                self._check_overdue(tasks)
                deadline = monotonic() + self.patience_s
        (result,) = self._results_of(tasks)
        self._spans.popleft()
        found: SpanResult | None = result
        return found

    def _adapt(self, rounds: int, seconds: float) -> None:
        """Ask for as many rounds at a time as take `SPAN_SECONDS`, given how long so many took."""
        wanted = round(rounds * SPAN_SECONDS / max(seconds, 1e-3))
        self._rounds = min(max(wanted, 1), 4 * self._rounds, MAX_ROUNDS)

    def _cancel(self) -> None:
        spans = list(self._spans)
        self._spans.clear()
        self._cluster.cancel(group for span in spans for group in span.groups)


def num_threads(job: Job, workers: Sequence[str]) -> int:
    """How many threads spans of a job take on these workers.

    Args:
        job: the training.
        workers: their addresses.

    Returns:
        1 where there is one worker. As many as there are workers where all are threads of this process and the engine
        leaves them the processors: one task then does without all messages between them. 0 where spans don't suit.
    """
    if len(workers) == 1:
        return 1
    are_threads = all(worker.startswith("inproc://") for worker in workers)
    return len(workers) if are_threads and find(job.choice.engine).releases_gil else 0


def _span(job: Job, before: SpanStart | SpanResult | None, rounds: int, threads: int) -> SpanResult | None:
    """The rounds of one span, on the worker that this runs on. A span behind the run's end has none."""
    check_fingerprint(job)
    return None if before is None else run_span(job, before, rounds, get_worker().address, threads)
