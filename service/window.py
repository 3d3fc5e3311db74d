"""The window of rounds in flight: submitted ahead of time, so that the scheduler's latency hides behind the work."""

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import CancelledError, wait
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from secrets import token_hex
from time import monotonic

from distributed import Future, KilledWorker
from distributed.client import ClosedClientError

from service.averaging import State
from service.cluster import Cluster
from service.course import Course
from service.crew import Crew
from service.flight import Flight, Launcher
from service.job import Job
from service.plan import LAG, Round
from service.rounds import Report

AHEAD = LAG
"""How many rounds are with the scheduler at a time: as many as can be told before their results are there."""

CHAIN_TASKS = 1000
CHAIN_ROUNDS = 64
"""A window comes to its end when it submitted so many tasks, and so many rounds.

Each result is made from others, and Dask's scheduler remembers how, back to the first, for as long as one is in use.
"""

GLANCE_SECONDS = 0.05
"""How often the coordinator looks up from waiting for an answer."""


@dataclass(frozen=True)
class Disturbance:
    """What happened to the cluster, and from which round the work went on; so many tasks were let go for it."""

    why: str
    round: int
    tasks: int


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

    first, course: the round to begin with, and which follow. It ends with the course, or before, after a report that
    brings the state: see `CHAIN_ROUNDS`.
    avoided, warm: see `Crew`.
    patience: seconds that an answer may take before the window is given up.
    """

    def __init__(
        self,
        cluster: Cluster,
        job: Job,
        start: State,
        first: Round,
        course: Course,
        *,
        avoided: Callable[[], frozenset[str]],
        warm: set[str],
        patience: float,
    ) -> None:
        self.patience = patience
        self._cluster = cluster
        self._job = job
        self._state: State | None = start
        self._first = first
        self._course = course
        self._name = token_hex(4)
        self._crew = Crew(cluster, job, self._name, avoided=avoided, warm=warm)
        self._launcher = Launcher(cluster, job, self._crew, self._name)
        self._flights: deque[Flight] = deque()
        self._last: Flight | None = None
        self._chain: list[int] = []

    def reports(self) -> Generator[Report | Disturbance]:
        """The reports of all rounds, in order; closing the generator lets go of what is still in flight.

        A worker that leaves is a Disturbance among them, if there are others to do what it had to do. Raises Disturbed
        where there are none, where the scheduler was lost, or an answer is overdue.
        """
        try:
            while self._fill():
                flight = self._flights[0]
                if self._is_answered(flight):
                    report = self._told(flight)
                    self._course.note(flight.round, report.dispersion)
                    yield report
                    self._state = report.state
                    self._flights.popleft()
                else:
                    yield Disturbance("a worker left", flight.round.number, self._withdraw() + self._mend())
        finally:
            self._let_go()

    def _fill(self) -> bool:
        """Submit rounds up to the limit, to those who are here; False when nothing is left to wait for."""
        with self._connected():
            if self._crew.muster():
                self._withdraw()
            while len(self._flights) < AHEAD and (following := self._following()):
                assert self._last or self._state
                self._launched(self._launcher.launch(following, self._last.then if self._last else self._state))
        return bool(self._flights)

    def _launched(self, flight: Flight) -> None:
        self._flights.append(flight)
        self._last = flight
        self._chain.append(flight.size)

    def _following(self) -> Round | None:
        if self._last is None:
            return self._first
        is_long = len(self._chain) >= CHAIN_ROUNDS and sum(self._chain) >= CHAIN_TASKS
        if is_long and self._launcher.brings_state(self._last.round):
            return None
        return self._course.after(self._last.round)

    def _withdraw(self) -> int:
        """Take the rounds back that wait for the one at hand; returns how many tasks they had."""
        if not self._flights:
            return 0
        self._last, *waiting = self._flights
        self._flights = deque([self._last])
        self._cancel([together for flight in waiting for together in flight.tasks])
        return sum(flight.size for flight in waiting)

    def _is_answered(self, flight: Flight) -> bool:
        """Wait for the round's answers, with a look at the cluster every now and then; False when a worker left."""
        deadline = monotonic() + self.patience
        while not wait([flight.answers], GLANCE_SECONDS).done:
            if not self._cluster.is_connected:
                raise self._disturbed("the scheduler was lost")
            if self._cluster.worker_left.is_set():
                self._cluster.worker_left.clear()
                return False
            self._fill()
            if monotonic() > deadline:
                with self._connected():
                    suspects = self._suspects()
                    if not suspects and self._is_shared():
                        deadline = monotonic() + self.patience
                        continue
                raise self._disturbed("an answer is overdue", suspects, unanswered=True)
        return True

    def _mend(self) -> int:
        """Have the round at hand done without the worker that left; returns how many of its tasks were let go for it.

        Dask gives what is missing to others. Where that would lead it to what was done before this round, because
        results that the missing tasks take are gone too, they are submitted anew from the state that the round began
        with: nothing older is ever done again.
        """
        (flight,) = self._flights
        with self._connected():
            held = {key for keys in self._cluster.client.has_what().values() for key in keys}
            missing = flight.inputs.keys() - held
            taken = {key for task in missing for key in flight.inputs[task]}
            if not self._cluster.workers:
                raise self._disturbed("the last worker left")
            if taken <= held | missing:
                return 0
            if self._state is None:
                raise self._disturbed("a worker left")
            kept = held.intersection(task.key for task in flight.shards)
            gone = [[task for task in together if task.key not in kept] for together in flight.tasks]
            self._cancel(gone)
            self._flights.clear()
            self._launched(self._launcher.relaunch(flight, self._state, kept))
        return sum(map(len, gone))

    def _told(self, flight: Flight) -> Report:
        try:
            return flight.report(self._job)
        except KilledWorker:
            raise self._disturbed("a task ended with its worker") from None
        except (CancelledError, OSError, TimeoutError):
            if any(task.status == "error" for task in flight.asked):
                raise
            raise self._disturbed("an answer was lost", unanswered=True) from None

    @contextmanager
    def _connected(self) -> Iterator[None]:
        """Whatever is asked of the scheduler meanwhile, it may go away at any moment."""
        try:
            yield
        except (OSError, ClosedClientError):
            raise self._disturbed("the scheduler was lost", unanswered=True) from None

    def _disturbed(self, what: str, suspects: frozenset[str] = frozenset(), *, unanswered: bool = False) -> Disturbed:
        return Disturbed(what, sum(flight.size for flight in self._flights), suspects, unanswered=unanswered)

    def _suspects(self) -> frozenset[str]:
        """The workers that keep the round that is waited for, unless they are busy for others too and still heard of.

        A worker keeps it that has one of its tasks, or the input that such a task still waits for; and a silent one
        that has an answer and doesn't hand it over.
        """
        flight = self._flights[0]
        inputs, answered = flight.inputs, {task.key for task in flight.asked if task.status == "finished"}
        client, silent = self._cluster.client, self._cluster.silent_workers()
        busy, held = client.processing(), {worker: set(keys) for worker, keys in client.has_what().items()}
        keepers = {worker for worker, has in held.items() if worker in silent and answered & has}
        for worker, keys in busy.items():
            for key in inputs.keys() & set(keys):
                missing = set() if worker in silent else set(inputs[key]) - held.get(worker, set())
                keepers |= {other for other, has in held.items() if missing & has} or {worker}
        return frozenset(worker for worker in keepers if worker in silent or not self._foreign(busy.get(worker, ())))

    def _is_shared(self) -> bool:
        """Whether the workers have work of others too, which explains a wait."""
        return any(self._foreign(keys) for keys in self._cluster.client.processing().values())

    def _foreign(self, keys: Iterable[str]) -> bool:
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
