"""Rounds in flight: submitted to the scheduler ahead of time, so that its latency hides behind the work."""

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import CancelledError
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from secrets import token_hex
from threading import Event
from time import monotonic

from distributed import Future, KilledWorker

from service.averaging import FAN_IN, State
from service.cluster import Cluster
from service.job import Job
from service.plan import Round
from service.rounds import Report, local_round, partial_sum, report, state_after, warm_up

AHEAD = 4
"""How many rounds are with the scheduler at a time."""

KEEP_STATE_BYTES = 4 << 20
"""Up to this size the state comes back after every round; a larger one where an epoch ends and every `KEEP_EVERY`."""

KEEP_EVERY = 16

GLANCE_SECONDS = 0.05
"""How often the coordinator looks up from waiting for an answer."""


class Disturbed(Exception):
    """Something happened to the cluster; what is in flight may be lost or late.

    tasks: how many were in flight. suspects: workers that were busy with an overdue answer.
    """

    def __init__(self, what: str, tasks: int, suspects: frozenset[str] = frozenset()) -> None:
        super().__init__(what)
        self.tasks = tasks
        self.suspects = suspects


@dataclass(frozen=True)
class _Flight:
    """A round that was submitted: what its shards will hand in, and what the coordinator will read.

    inputs: for the key of each of its tasks, the keys of the results that the task takes.
    """

    round: Round
    parts: list[Future]
    report: Future
    inputs: dict[str, list[str]]


class Pipeline:
    """Rounds on their way through the cluster, from a given state on, at most `AHEAD` at a time.

    avoided: says which workers, by address, get no tasks for now as long as there are others.
    warm: addresses of workers that are known to be warmed up, which are preferred; more are added.
    patience: seconds that an answer may take before the pipeline is given up.
    """

    def __init__(
        self,
        cluster: Cluster,
        job: Job,
        start: State,
        first: Round,
        *,
        avoided: Callable[[], frozenset[str]],
        warm: set[str],
        patience: float,
    ) -> None:
        self.patience = patience
        self._cluster = cluster
        self._job = job
        self._next: Round | None = first
        self._before: State | Future | tuple[Round, list[Future]] = start
        self._avoided = avoided
        self._flights: deque[_Flight] = deque()
        self._name = token_hex(4)
        self._warm = warm
        self._warming: dict[str, Future] = {}
        self._welcome: list[str] = []
        self._is_choosy = False
        self._inputs: dict[str, list[str]] = {}

    def reports(self) -> Generator[Report]:
        """The reports of all rounds, in order; closing the generator lets go of what is still in flight.

        Raises Disturbed where a worker left, the scheduler was lost, or an answer is overdue.
        """
        try:
            while self._fill():
                yield self._wait(self._flights[0].report)
                self._flights.popleft()
        finally:
            self._let_go()

    def _fill(self) -> bool:
        """Submit rounds up to the limit; False when nothing is left to wait for."""
        self._warm_up()
        while self._next is not None and len(self._flights) < AHEAD:
            self._look_around()
            self._submit(self._next)
            self._next = self._job.plan.round_after(self._next)
        return bool(self._flights)

    def _warm_up(self) -> None:
        """Have every worker that isn't known yet load the data and compile the engine."""
        for worker in self._cluster.workers:
            if worker not in self._warm and worker not in self._warming:
                task = self._cluster.client.submit(
                    warm_up, self._job, key=f"warm-{self._name}-{worker}", pure=False, workers=[worker]
                )
                task.add_done_callback(partial(self._warmed, worker))
                self._warming[worker] = task

    def _look_around(self) -> None:
        """Choose who may take what comes next: not those to avoid, and had best be warm already."""
        everyone = self._cluster.workers
        avoided = self._avoided()
        others = [worker for worker in everyone if worker not in avoided]
        self._is_choosy = 0 < len(others) < len(everyone)
        welcome = others or everyone
        self._welcome = [worker for worker in welcome if worker in self._warm] or welcome

    def _warmed(self, worker: str, task: Future) -> None:
        if task.status == "finished":
            self._warm.add(worker)

    def _submit(self, round_: Round) -> None:
        tag = f"{self._name}-{round_.number}"
        self._inputs = {}
        if isinstance(self._before, State):
            self._before = self._task(_given, self._before, key=f"start-{tag}")
        before = self._before
        parts = [
            self._task(local_round, self._job, round_, shard, before, key=f"round-{tag}-{shard}", place=shard)
            for shard in range(round_.shards)
        ]
        level = 0
        while len(parts) > FAN_IN:
            groups = [parts[low : low + FAN_IN] for low in range(0, len(parts), FAN_IN)]
            parts = [
                self._task(partial_sum, group, key=f"sum-{tag}-{level}-{index}", place=index)
                for index, group in enumerate(groups)
            ]
            level += 1
        done = (round_, parts)
        final = self._task(report, self._job, done, self._keeps(round_), key=f"report-{tag}", urgent=False)
        self._flights.append(_Flight(round_, parts, final, self._inputs))
        # Few shards work out the next state themselves, which saves a hop. Many would each fetch several float64 sums.
        self._before = done if level == 0 else self._task(state_after, self._job, done, key=f"state-{tag}", place=0)

    def _task(
        self, function: object, *arguments: object, key: str, place: int | None = None, urgent: bool = True
    ) -> Future:
        """Submit a pure function.

        place: with which worker it had best be, counted round; Dask by itself gives tasks only to workers that hold
        some of their input, which after a solo round is one. It is a hint: any other worker may take the task,
        unless some are to be avoided, which would steal it.
        """
        self._inputs[key] = [future.key for future in _futures(arguments)]
        welcome = self._welcome
        hint = [welcome[place % len(welcome)]] if place is not None and welcome and not self._is_choosy else welcome
        return self._cluster.client.submit(
            function,
            *arguments,
            key=key,
            pure=False,
            retries=2,
            priority=0 if urgent else -1,
            workers=hint or None,
            allow_other_workers=bool(hint) and not self._is_choosy,
        )

    def _keeps(self, round_: Round) -> bool:
        """Whether the state after a round comes back with its report."""
        small = 3 * 4 * self._job.network.size <= KEEP_STATE_BYTES
        last_of_epoch = round_.last == self._job.plan.steps_per_epoch
        return small or last_of_epoch or round_.number % KEEP_EVERY == 0

    def _wait(self, future: Future) -> Report:
        """The answer, as soon as there is one; meanwhile a look at the cluster every now and then."""
        deadline = monotonic() + self.patience
        done = Event()
        future.add_done_callback(lambda _: done.set())
        while not done.wait(GLANCE_SECONDS):
            if not self._cluster.is_connected:
                raise self._disturbed("the scheduler was lost")
            if self._cluster.worker_left.is_set():
                raise self._disturbed("a worker left")
            if monotonic() > deadline:
                suspects = self._suspects()
                if not suspects and self._is_shared():
                    deadline = monotonic() + self.patience
                    continue
                raise self._disturbed("an answer is overdue", suspects)
        try:
            answer: Report = future.result(timeout=self.patience)
        except KilledWorker:
            raise self._disturbed("a task ended with its worker") from None
        except (CancelledError, OSError, TimeoutError):
            raise self._disturbed("an answer was lost") from None
        return answer

    def _disturbed(self, what: str, suspects: frozenset[str] = frozenset()) -> Disturbed:
        return Disturbed(what, sum(len(flight.parts) + 1 for flight in self._flights), suspects)

    def _suspects(self) -> frozenset[str]:
        """The workers that keep the round that is waited for, unless they are busy for others too and still heard of.

        A worker keeps it that has one of its tasks, or the input that such a task still waits for.
        """
        inputs = self._flights[0].inputs
        client, silent = self._cluster.client, self._cluster.silent_workers()
        busy, held = client.processing(), {worker: set(keys) for worker, keys in client.has_what().items()}
        keepers: set[str] = set()
        for worker, keys in busy.items():
            for key in inputs.keys() & set(keys):
                missing = set(inputs[key]) - held.get(worker, set())
                keepers |= {other for other, has in held.items() if missing & has} or {worker}
        return frozenset(worker for worker in keepers if worker in silent or not self._foreign(busy.get(worker, ())))

    def _is_shared(self) -> bool:
        """Whether the workers have work of others too, which explains a wait."""
        return any(self._foreign(keys) for keys in self._cluster.client.processing().values())

    def _foreign(self, keys: Iterable[str]) -> bool:
        return any(self._name not in key for key in keys)

    def _let_go(self) -> None:
        """Have the scheduler forget every round that is still on its way."""
        futures = [future for flight in self._flights for future in (*flight.parts, flight.report)]
        futures += self._warming.values()
        self._flights.clear()
        self._warming.clear()
        if futures and self._cluster.is_connected:
            with suppress(OSError, TimeoutError, CancelledError):
                self._cluster.client.cancel(futures, force=True)


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
