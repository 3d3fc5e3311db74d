"""The window of rounds in flight: submitted ahead of time, so that the scheduler's latency hides behind the work."""

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import CancelledError, wait
from contextlib import contextmanager, suppress
from secrets import token_hex
from time import monotonic

from distributed import Future, KilledWorker
from distributed.client import ClosedClientError

from service.cluster.connection import Cluster
from service.cluster.submission import RoundSubmitter, SubmittedRound
from service.cluster.worker_pool import WorkerPool
from service.rounds.executor import ClusterEvent
from service.rounds.job import Job
from service.rounds.plan import ROUNDS_AHEAD, Round
from service.rounds.schedule import RoundSchedule
from service.rounds.tasks import RoundResult
from service.rounds.train_state import TrainState

AHEAD = ROUNDS_AHEAD
"""How many rounds are with the scheduler at a time. The next may depend on how the one so many before it went."""

CHAIN_TASKS = 1000
CHAIN_ROUNDS = 64
"""A window ends once it submitted so many rounds and so many tasks, with the next round whose report brings the state.

Each result is made from others, and Dask's scheduler remembers how, back to the first, for as long as one is in use.
"""

GLANCE_SECONDS = 0.05
"""How often the coordinator looks up from waiting for an answer."""


class Disturbed(Exception):
    """Something happened to the cluster; what is in flight may be lost or late.

    tasks: how many were in flight. suspects: workers that kept an overdue answer. unanswered: the connection to
    the scheduler may still be at work on an answer that nobody waits for any more, and had better be made anew.
    """

    def __init__(
        self, what: str, tasks: int, suspects: frozenset[str] = frozenset(), *, unanswered: bool = False
    ) -> None:
        super().__init__(what)
        self.tasks = tasks
        self.suspects = suspects
        self.unanswered = unanswered


class Window:
    """Rounds on their way through the cluster, from a given state on, at most `AHEAD` at a time.

    first, schedule: the round to begin with, and which follow. It ends with these, or before, after a report that
    brings the state: see `CHAIN_ROUNDS`.
    avoided, warm: see `WorkerPool`.
    patience: seconds that an answer may take before the window is given up.
    """

    def __init__(
        self,
        cluster: Cluster,
        job: Job,
        start: TrainState,
        first: Round,
        schedule: RoundSchedule,
        *,
        avoided: Callable[[], frozenset[str]],
        warm: set[str],
        patience: float,
    ) -> None:
        self.patience = patience
        self._cluster = cluster
        self._job = job
        self._state: TrainState | None = start
        self._first = first
        self._schedule = schedule
        self._name = token_hex(4)
        self._crew = WorkerPool(cluster, job, self._name, avoided=avoided, warm=warm)
        self._launcher = RoundSubmitter(cluster, job, self._crew, self._name)
        self._flights: deque[SubmittedRound] = deque()
        self._last: SubmittedRound | None = None
        self._chain_rounds = 0
        self._chain_tasks = 0

    def reports(self) -> Generator[RoundResult | ClusterEvent]:
        """The reports of all rounds, in order; closing the generator lets go of what is still in flight.

        A worker that leaves is a ClusterEvent among them, if there are others to do what it had to do. Raises Disturbed
        where there are none or they can't, where a task kills its workers, where the scheduler or an answer was lost,
        or an answer is overdue.
        """
        self._cluster.departures()  # those before this are no matter
        try:
            while True:
                if self._flights and self._cluster.worker_left.is_set():
                    yield self._go_on_without_departed()
                elif not self._fill():
                    return
                elif self._wait_for_answers():
                    report = self._first_report()
                    self._schedule.note(report.round, report.dispersion)
                    yield report
                    self._state = report.state
                    self._flights.popleft()
        finally:
            self._let_go()

    def _fill(self) -> bool:
        """Submit rounds up to the limit, to those who are here; False when nothing is left to wait for."""
        with self._connected():
            if self._crew.refresh():
                self._withdraw(self._count_begun())
            while len(self._flights) < AHEAD and (following := self._next_round()):
                assert self._last or self._state
                self._launched(self._launcher.launch(following, self._last.then if self._last else self._state))
        return bool(self._flights)

    def _launched(self, flight: SubmittedRound) -> None:
        self._flights.append(flight)
        self._last = flight
        self._chain_rounds += 1
        self._chain_tasks += flight.size

    def _next_round(self) -> Round | None:
        if self._last is None:
            return self._first
        is_long = self._chain_rounds >= CHAIN_ROUNDS and self._chain_tasks >= CHAIN_TASKS
        if is_long and self._launcher.brings_state(self._last.round):
            return None
        return self._schedule.after(self._last.round)

    def _count_begun(self) -> int:
        """How many of the rounds in flight have begun, as far as can be told: all shards of the one before are done."""
        begun = 1
        while begun < len(self._flights) and all(task.done() for task in self._flights[begun - 1].shards):
            begun += 1
        return begun

    def _withdraw(self, keep: int) -> int:
        """Cancel all rounds in flight but the first `keep`; `_fill` submits them again. Returns how many tasks."""
        waiting = list(self._flights)[keep:]
        if waiting:
            self._flights = deque(list(self._flights)[:keep])
            self._last = self._flights[-1]
            self._cancel([together for flight in waiting for together in flight.tasks])
        return sum(flight.size for flight in waiting)

    def _wait_for_answers(self) -> bool:
        """Wait for the answers of the round at hand, with a look around now and then; False if a worker left first."""
        flight, deadline = self._flights[0], monotonic() + self.patience
        while not wait([flight.answers], GLANCE_SECONDS).done:
            if not self._cluster.is_connected:
                raise self._disturbed("the scheduler was lost")
            if self._cluster.worker_left.is_set():
                return False
            self._fill()
            if monotonic() > deadline:
                with self._connected():
                    suspects = self._suspects()
                    if not suspects and self._waits_for_others():
                        deadline = monotonic() + self.patience
                        continue
                raise self._disturbed("an answer is overdue", suspects, unanswered=True)
        return True

    def _go_on_without_departed(self) -> ClusterEvent:
        """Have the round at hand done without the worker that left.

        Dask gives what is missing to others. Where it can't, the round is submitted anew from the state that it began
        with.
        """
        struck, flight = self._cluster.departures(), self._flights[0]
        with self._connected():
            self._crew.refresh()
            if not self._cluster.workers:
                raise self._disturbed("the last worker left")
            stuck = self._is_stuck(flight)
            if stuck and self._state is None:
                raise self._disturbed("a worker left")
            tasks = self._withdraw(1)
            if stuck:
                tasks += flight.size
                self._cancel(flight.tasks)
                self._flights.clear()
                self._launched(self._launcher.launch(flight.round, self._state))
            else:
                # The old fetch may still be reading from the worker that left.
                flight.answers = self._launcher.fetched(flight.asked)
        return ClusterEvent(
            "a worker left", flight.round.number, tasks, is_failure=not struck.isdisjoint(flight.inputs)
        )

    def _is_stuck(self, flight: SubmittedRound) -> bool:
        """Whether Dask can't have a round done, or not without what came before it.

        It may be bound to workers that are gone. Or results are gone that it was to take: these would be made again
        too, and those before them, back to the first of the window.
        """
        if flight.bound and flight.bound.isdisjoint(self._cluster.workers):
            return True
        held = set().union(*self._holdings(flight).values())
        missing = flight.inputs.keys() - held
        return not {key for task in missing for key in flight.inputs[task]} <= held | missing

    def _holdings(self, flight: SubmittedRound) -> dict[str, set[str]]:
        """The results that each worker holds, by their keys, of a round's tasks and of what they take."""
        holdings: dict[str, set[str]] = {}
        keys = flight.inputs.keys() | {key for taken in flight.inputs.values() for key in taken}
        for key, workers in self._cluster.who_has(keys).items():
            for worker in workers:
                holdings.setdefault(worker, set()).add(key)
        return holdings

    def _first_report(self) -> RoundResult:
        flight = self._flights[0]
        try:
            return flight.outcome(self._job)
        except KilledWorker:
            raise self._disturbed("a task ended with its worker") from None
        except (CancelledError, ClosedClientError, OSError):
            if any(task.status == "error" for task in flight.asked):
                raise
            raise self._disturbed("an answer was lost", unanswered=True) from None

    @contextmanager
    def _connected(self) -> Iterator[None]:
        """Turns a connection that is lost meanwhile into Disturbed."""
        try:
            yield
        except (OSError, ClosedClientError):
            raise self._disturbed("the scheduler was lost", unanswered=True) from None

    def _disturbed(self, what: str, suspects: frozenset[str] = frozenset(), *, unanswered: bool = False) -> Disturbed:
        return Disturbed(what, sum(flight.size for flight in self._flights), suspects, unanswered=unanswered)

    def _suspects(self) -> frozenset[str]:
        """The workers that hold up the round at hand, but for those that are heard of and have tasks of other runs.

        A worker keeps it that has one of its tasks, or the input that such a task still waits for; and a silent one
        that has an answer and doesn't hand it over.
        """
        flight, silent = self._flights[0], self._cluster.silent_workers()
        answered = {task.key for task in flight.asked if task.status == "finished"}
        busy, held = self._cluster.processing(), self._holdings(flight)
        keepers = {worker for worker, has in held.items() if worker in silent and answered & has}
        for worker, keys in busy.items():
            for key in flight.inputs.keys() & set(keys):
                missing = set() if worker in silent else set(flight.inputs[key]) - held.get(worker, set())
                keepers |= {other for other, has in held.items() if missing & has} or {worker}
        shared = {worker for worker, keys in busy.items() if self._has_foreign(keys)}
        return frozenset(keepers - (shared - silent))

    def _waits_for_others(self) -> bool:
        """Whether tasks of the round at hand are with workers, and workers have work of others too."""
        busy, mine = self._cluster.processing().values(), self._flights[0].inputs.keys()
        return any(self._has_foreign(keys) for keys in busy) and any(not mine.isdisjoint(keys) for keys in busy)

    def _has_foreign(self, keys: Iterable[str]) -> bool:
        return any(self._name not in key for key in keys)

    def _let_go(self) -> None:
        """Have the scheduler forget every round that is still on its way."""
        tasks = [together for flight in self._flights for together in flight.tasks]
        self._flights.clear()
        self._cancel([self._crew.warming, *tasks])

    def _cancel(self, tasks: Iterable[list[Future]]) -> None:
        """Have the scheduler forget tasks, which are in the order in which they take each other's results.

        Tasks go after those that take their results: of others Dask's scheduler finds some that it gave up already, and
        breaks off (distributed 2026.8, `stimulus_cancel`). The fetching of answers is not cancelled: it ends by itself
        when the tasks are, and cancelled within one turn of the client's loop it would leave the client waiting for an
        answer for ever (`Client._gather`).
        """
        with suppress(OSError, TimeoutError, CancelledError, ClosedClientError):
            for together in reversed(list(tasks)):
                if together and self._cluster.is_connected:
                    self._cluster.client.cancel(together)
