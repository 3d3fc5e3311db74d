"""A round as tasks of Dask's: submitted at once, each told whose results it takes, with the answers on their way."""

from asyncio import run_coroutine_threadsafe, sleep
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future as Promise
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeAlias

from dask import annotate
from distributed import Future, get_worker

from service.cluster.connection import Cluster
from service.cluster.worker_pool import WorkerPool
from service.rounds.averaging import FAN_IN, partial_sum
from service.rounds.job import Job
from service.rounds.plan import Round
from service.rounds.shard_update import ShardUpdate
from service.rounds.tasks import Predecessor, RoundResult, round_result, shard_update, state_after
from service.rounds.train_state import TrainState

FETCH_BYTES = 4 << 20
"""The most that is fetched after every round: what the shards hand in, or else a report with the state."""

STATE_EVERY_ROUNDS = 16
"""A state that is larger comes back where an epoch ends, and once in so many rounds."""

YIELD_SECONDS = 0.02
"""How long the coordinator holds back when a round is done: the workers wait for the same results, and go first."""

Input: TypeAlias = TrainState | Future | tuple[Round, list[Future]]
"""What a round's tasks take: a state at first; then what was handed in for the round before, or what that came to."""


@dataclass
class SubmittedRound:
    """A round that was submitted.

    tasks: all that was submitted for it, those that take nothing from each other together.
    inputs: for the key of each of them, the keys of the results that it takes.
    shards: what the round's shards come to. parts: what is handed in for it, these or sums of them.
    state: what that comes to, where one task works it out for all.
    asked: those whose results the coordinator fetches. answers: these results, on their way from the start.
    bound: the workers that alone may take its tasks; empty where any may. before: what they take; it is never read, but
    keeps Dask from forgetting these results while a task may have to be done again.
    """

    round: Round
    bound: frozenset[str]
    before: Input
    tasks: list[list[Future]] = field(default_factory=list)
    inputs: dict[str, list[str]] = field(default_factory=dict)
    shards: list[Future] = field(default_factory=list)
    parts: list[Future] = field(default_factory=list)
    state: Future | None = None
    asked: list[Future] = field(default_factory=list)
    answers: Promise[list[Any]] = field(default_factory=Promise)

    @property
    def size(self) -> int:
        """How many tasks it has."""
        return len(self.inputs)

    @property
    def then(self) -> Input:
        """What the tasks of the round after it take."""
        return self.state or (self.round, self.parts)

    def outcome(self, job: Job) -> RoundResult:
        """What came of the round; raises whatever kept its answers from coming."""
        answers = self.answers.result()
        return answers[0] if isinstance(answers[0], RoundResult) else round_result(job, (self.round, answers), True)


class RoundSubmitter:
    """Submits a job's rounds to a cluster. name: part of the key of each of their tasks."""

    def __init__(self, cluster: Cluster, job: Job, crew: WorkerPool, name: str) -> None:
        self._cluster = cluster
        self._job = job
        self._crew = crew
        self._name = name
        self._launched = 0

    def launch(self, round_: Round, before: Input) -> SubmittedRound:
        """Submit a round. Its keys are new each time, so that it may be submitted again."""
        self._launched += 1
        tag, flight = f"{self._name}.{self._launched}-{round_.number}", SubmittedRound(round_, self._crew.bound, before)
        submit = partial(self._map, flight)
        if isinstance(before, TrainState):
            (before,) = submit(_given, [(before,)], f"start-{tag}")
        shards = [(self._job, round_, shard, before) for shard in range(round_.shards)]
        parts = flight.shards = submit(_shard_update, shards, f"round-{tag}")
        level = 0
        while len(parts) > FAN_IN:
            groups = [(parts[low : low + FAN_IN],) for low in range(0, len(parts), FAN_IN)]
            parts = submit(partial_sum, groups, f"sum-{tag}-{level}")
            level += 1
        flight.parts, handed_in = parts, (round_, parts)
        if level == 0 and self._is_light(round_):
            flight.asked = parts
        else:
            arguments = (self._job, handed_in, self.brings_state(round_))
            flight.asked = submit(round_result, [arguments], f"report-{tag}", urgent=False)
        flight.answers = self.fetched(flight.asked)
        # Few shards work out the next state themselves, which saves a hop. Many would each fetch several float64 sums.
        if level > 0:
            (flight.state,) = submit(state_after, [(self._job, handed_in)], f"state-{tag}")
        return flight

    def brings_state(self, round_: Round) -> bool:
        """Whether the state after a round comes with its report."""
        vectors = 3  # parameters, velocity, outer velocity
        small = vectors * 4 * self._job.network.num_parameters <= FETCH_BYTES
        last_of_epoch = round_.last == self._job.plan.steps_per_epoch
        return small or last_of_epoch or round_.number % STATE_EVERY_ROUNDS == 0

    def fetched(self, tasks: list[Future]) -> Promise[list[Any]]:
        """Have results fetched as soon as they are there and the workers have them."""
        client = self._cluster.client

        async def fetch() -> list[Any]:
            for task in tasks:
                await task.exception()
            await sleep(YIELD_SECONDS)
            return await client.gather(tasks, asynchronous=True)

        return run_coroutine_threadsafe(fetch(), client.loop.asyncio_loop)

    def _map(
        self,
        flight: SubmittedRound,
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
        columns = zip(*arguments, strict=True)
        with annotate(**self._crew.places(keys)):
            tasks = self._cluster.client.map(
                function, *columns, key=keys, pure=False, retries=2, priority=0 if urgent else -1
            )
        flight.tasks.append(tasks)
        return tasks

    def _is_light(self, round_: Round) -> bool:
        """Whether the coordinator fetches what the shards hand in and sums it up itself, which no worker waits for."""
        vectors = 2 * round_.shards + 2  # parameters and velocity of each, and where the round began
        return vectors * 4 * self._job.network.num_parameters <= FETCH_BYTES


def _shard_update(job: Job, round_: Round, shard: int, before: TrainState | Predecessor) -> ShardUpdate:
    """One shard's steps of one round, with the address of the worker that this runs on."""
    return shard_update(job, round_, shard, before, worker=get_worker().address)


def _given(state: TrainState) -> TrainState:
    """Puts a state that the coordinator holds where tasks can find it."""
    return state


def _futures(value: object) -> Iterator[Future]:
    """The results of other tasks among a task's arguments."""
    if isinstance(value, Future):
        yield value
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _futures(item)
