"""Rounds in flight: submitted to the scheduler ahead of time, so that its latency hides behind the work."""

from asyncio import run_coroutine_threadsafe, sleep
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import CancelledError, wait
from concurrent.futures import Future as Promise
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from secrets import token_hex
from time import monotonic
from typing import Any

from dask import annotate
from distributed import Future, KilledWorker
from distributed.client import ClosedClientError

from service.averaging import FAN_IN, State
from service.cluster import Cluster
from service.course import Course
from service.crew import Crew
from service.job import Job
from service.plan import LAG, Round
from service.rounds import Report, local_round, partial_sum, report, state_after

AHEAD = LAG
"""How many rounds are with the scheduler at a time: as many as can be told before their results are there."""

FETCH_BYTES = 4 << 20
"""How much the coordinator fetches after every round: what the shards hand in, or else a report with the state."""

KEEP_EVERY = 16
"""A state that is larger comes back where an epoch ends, and once in so many rounds."""

YIELD_SECONDS = 0.02
"""How long the coordinator holds back when a round is done: the workers wait for the same results, and go first."""

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


@dataclass
class _Flight:
    """A round that was submitted.

    tasks: all that was submitted for it, those that take nothing from each other together. inputs: for the key of
    each of them, the keys of the results that it takes.
    asked: those whose results the coordinator fetches. answers: these results, on their way from the start.
    """

    round: Round
    tasks: list[list[Future]] = field(default_factory=list)
    inputs: dict[str, list[str]] = field(default_factory=dict)
    asked: list[Future] = field(default_factory=list)
    answers: Promise[list[Any]] = field(default_factory=Promise)


class Pipeline:
    """Rounds on their way through the cluster, from a given state on, at most `AHEAD` at a time.

    first, course: the round to begin with, and which follow.
    avoided, warm: see `Crew`.
    patience: seconds that an answer may take before the pipeline is given up.
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
        self._first = first
        self._last: Round | None = None
        self._course = course
        # What the next round's tasks take: a state at first; then what the shards of the round before hand in, if
        # they are few, else the result of the task that sums them up.
        self._before: State | Future | tuple[Round, list[Future]] = start
        self._flights: deque[_Flight] = deque()
        self._name = token_hex(4)
        self._crew = Crew(cluster, job, self._name, avoided=avoided, warm=warm)

    def reports(self) -> Generator[Report]:
        """The reports of all rounds, in order; closing the generator lets go of what is still in flight.

        Raises Disturbed where a worker left, the scheduler was lost, or an answer is overdue.
        """
        try:
            while self._fill():
                flight = self._flights[0]
                answers = self._wait(flight)
                told = (
                    answers[0] if isinstance(answers[0], Report) else report(self._job, (flight.round, answers), True)
                )
                self._course.note(flight.round, told.dispersion)
                yield told
                self._flights.popleft()
        finally:
            self._let_go()

    def _fill(self) -> bool:
        """Submit rounds up to the limit; False when nothing is left to wait for."""
        with self._connected():
            self._crew.muster()
        while len(self._flights) < AHEAD:
            following = self._course.after(self._last) if self._last else self._first
            if following is None:
                break
            with self._connected():
                self._flights.append(self._submitted(following))
            self._last = following
        return bool(self._flights)

    def _submitted(self, round_: Round) -> _Flight:
        tag, flight = f"{self._name}-{round_.number}", _Flight(round_)
        submit = partial(self._map, flight)
        if isinstance(self._before, State):
            (self._before,) = submit(_given, [(self._before,)], f"start-{tag}")
        before = self._before
        shards = [(self._job, round_, shard, before) for shard in range(round_.shards)]
        parts = submit(local_round, shards, f"round-{tag}")
        level = 0
        while len(parts) > FAN_IN:
            groups = [(parts[low : low + FAN_IN],) for low in range(0, len(parts), FAN_IN)]
            parts = submit(partial_sum, groups, f"sum-{tag}-{level}")
            level += 1
        done = (round_, parts)
        if level == 0 and self._is_light(round_):
            flight.asked = parts
        else:
            flight.asked = submit(report, [(self._job, done, self._keeps(round_))], f"report-{tag}", urgent=False)
        flight.answers = self._fetched(flight.asked)
        # Few shards work out the next state themselves, which saves a hop. Many would each fetch several float64 sums.
        self._before = done if level == 0 else submit(state_after, [(self._job, done)], f"state-{tag}")[0]
        return flight

    def _map(
        self,
        flight: _Flight,
        function: Callable[..., object],
        arguments: Sequence[tuple[object, ...]],
        name: str,
        *,
        urgent: bool = True,
    ) -> list[Future]:
        """Submit a pure function once for each of some arguments, as one message."""
        keys = [f"{name}-{index}" for index in range(len(arguments))]
        for key, given in zip(keys, arguments, strict=True):
            flight.inputs[key] = [future.key for future in _futures(given)]
        with annotate(**self._crew.places(keys)):
            tasks = self._cluster.client.map(
                function, *zip(*arguments, strict=True), key=keys, pure=False, retries=2, priority=0 if urgent else -1
            )
        flight.tasks.append(tasks)
        return tasks

    def _is_light(self, round_: Round) -> bool:
        """Whether the coordinator fetches what the shards hand in and sums it up itself, which no worker waits for."""
        vectors = 2 * round_.shards + 2  # parameters and velocity of each, and where the round began
        return vectors * 4 * self._job.network.size <= FETCH_BYTES

    def _keeps(self, round_: Round) -> bool:
        """Whether the state after a round comes back with its report."""
        small = 3 * 4 * self._job.network.size <= FETCH_BYTES
        last_of_epoch = round_.last == self._job.plan.steps_per_epoch
        return small or last_of_epoch or round_.number % KEEP_EVERY == 0

    def _fetched(self, tasks: list[Future]) -> Promise[list[Any]]:
        """Have results fetched as soon as they are there and the workers have them."""
        client = self._cluster.client

        async def fetch() -> list[Any]:
            for task in tasks:
                await task.exception()
            await sleep(YIELD_SECONDS)
            return await client.gather(tasks, asynchronous=True)

        return run_coroutine_threadsafe(fetch(), client.loop.asyncio_loop)

    def _wait(self, flight: _Flight) -> list[Any]:
        """The answers, as soon as they are there; meanwhile a look at the cluster every now and then."""
        deadline = monotonic() + self.patience
        while not wait([flight.answers], GLANCE_SECONDS).done:
            if not self._cluster.is_connected:
                raise self._disturbed("the scheduler was lost")
            if self._cluster.worker_left.is_set():
                raise self._disturbed("a worker left")
            if monotonic() > deadline:
                with self._connected():
                    suspects = self._suspects()
                    if not suspects and self._is_shared():
                        deadline = monotonic() + self.patience
                        continue
                raise self._disturbed("an answer is overdue", suspects, unanswered=True)
        try:
            return flight.answers.result()
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
        tasks = sum(len(together) for flight in self._flights for together in flight.tasks)
        return Disturbed(what, tasks, suspects, unanswered=unanswered)

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
        """Have the scheduler forget every round that is still on its way.

        Tasks go after those that take their results: of others Dask's scheduler finds some that it gave up already, and
        breaks off (distributed 2026.8, `stimulus_cancel`). The fetching of answers is not cancelled: it ends by itself
        when the tasks are, and cancelled within one turn of the client's loop it would leave the client waiting for an
        answer for ever (`Client._gather`).
        """
        submitted = [together for flight in self._flights for together in flight.tasks]
        self._flights.clear()
        with suppress(OSError, TimeoutError, CancelledError, ClosedClientError):
            for together in [self._crew.warming, *reversed(submitted)]:
                if together and self._cluster.is_connected:
                    self._cluster.client.cancel(together)


def _given(state: State) -> State:
    """Puts a state that the coordinator holds where tasks can find it."""
    return state


def _futures(value: object) -> Iterator[Future]:
    """The results of other tasks among a task's arguments."""
    if isinstance(value, Future):
        yield value
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _futures(item)
