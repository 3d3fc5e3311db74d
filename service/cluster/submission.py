"""How a round becomes Dask tasks: all of them submitted at once, each with the tasks whose results it takes."""

from asyncio import run_coroutine_threadsafe, sleep
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future as Promise
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from dask import annotate
from distributed import Future, get_worker

from service.cluster.connection import Cluster
from service.cluster.fingerprints import check_fingerprint
from service.cluster.worker_pool import WorkerPool
from service.rounds.averaging import FAN_IN, partial_sum
from service.rounds.job import Job
from service.rounds.plan import Round
from service.rounds.shard_update import ShardUpdate
from service.rounds.tasks import Predecessor, RoundResult, round_result, shard_update, state_after
from service.rounds.train_state import TrainState, state_vectors

FETCH_BYTES = 4 << 20
"""The most that is fetched after every round: the shards' updates, or else one report that brings the state."""

STATE_EVERY_ROUNDS = 16
"""A state that is larger is fetched where an epoch ends, and once in so many rounds."""

YIELD_SECONDS = 0.02
"""How long a fetch waits after a round is done: other workers need the same results, and go first."""

RETRIES = 2
"""How often Dask repeats a task that raised an error."""

RoundInput: TypeAlias = TrainState | Future | tuple[Round, list[Future]]
"""What a round's tasks take: a state at first; later the updates of the round before, or the state after it."""


@dataclass
class SubmittedTasks:
    """Tasks that were submitted together, and the fetch of the results that the coordinator wants of them.

    Attributes:
        run_tag: part of the key of every task of the same run, and of no other run's.
        restricted_to: the only workers that may take these tasks; empty where any worker may.
        groups: the tasks. Those of one group are independent of each other; later groups take results of earlier ones.
        inputs: for the key of each task, the keys of the results that it takes.
        awaited: the tasks whose results the coordinator fetches.
        results: these results. Fetching begins with the submission.
    """

    run_tag: str
    restricted_to: frozenset[str]
    groups: list[list[Future]] = field(default_factory=list)
    inputs: dict[str, list[str]] = field(default_factory=dict)
    awaited: list[Future] = field(default_factory=list)
    results: Promise[list[Any]] = field(default_factory=Promise)

    def __len__(self) -> int:
        return len(self.inputs)


@dataclass
class SubmittedRound(SubmittedTasks):
    """The tasks of one round.

    Attributes:
        round: the round.
        before: what its tasks take. Nobody reads it; it keeps Dask from forgetting results while the round may need
            them again.
        shards: the tasks that compute the shards' updates.
        parts: the updates, or the last level of their partial sums.
        state: the task that computes the next state for all shards of the next round, where one does.
    """

    round: Round = field(kw_only=True)
    before: RoundInput = field(kw_only=True)
    shards: list[Future] = field(default_factory=list)
    parts: list[Future] = field(default_factory=list)
    state: Future | None = None

    @property
    def output(self) -> RoundInput:
        """What the tasks of the next round take."""
        return self.state or (self.round, self.parts)

    def result(self, job: Job) -> RoundResult:
        """The round's result. Raises whatever kept it from being computed or fetched."""
        results = self.results.result()
        return results[0] if isinstance(results[0], RoundResult) else round_result(job, (self.round, results), True)


class TaskSubmitter:
    """Submits pure functions as tasks of one run."""

    def __init__(self, cluster: Cluster, pool: WorkerPool, run_tag: str) -> None:
        self._cluster = cluster
        self._pool = pool
        self._run_tag = run_tag
        self._submissions = 0

    def next_tag(self) -> str:
        """Part of a key that no task had before: what is submitted again must not be taken for what was cancelled."""
        self._submissions += 1
        return f"{self._run_tag}.{self._submissions}"

    def submit(
        self,
        tasks: SubmittedTasks,
        function: Callable[..., object],
        arguments: Sequence[tuple[object, ...]],
        name: str,
        *,
        priority: int = 0,
    ) -> list[Future]:
        """Submit a function once for each tuple of arguments, as one message, and note the tasks in `tasks`."""
        keys = [f"{name}-{index}" for index in range(len(arguments))]
        for key, values in zip(keys, arguments, strict=True):
            tasks.inputs[key] = [future.key for future in _futures_in(values)]
        columns = zip(*arguments, strict=True)
        with annotate(**self._pool.placement(keys)):
            group = self._cluster.client.map(
                function, *columns, key=keys, pure=False, retries=RETRIES, priority=priority
            )
        tasks.groups.append(group)
        return list(group)

    def fetch(self, tasks: SubmittedTasks, yield_s: float | None = None) -> None:
        """Begin to fetch the awaited results as soon as they are there and the workers that need them have them.

        Args:
            tasks: whose results.
            yield_s: how long to leave these results to other workers first, by default `YIELD_SECONDS`.
        """
        client, awaited = self._cluster.client, list(tasks.awaited)

        async def fetch() -> list[Any]:
            for task in awaited:
                await task.exception()
            await sleep(YIELD_SECONDS if yield_s is None else yield_s)
            return list(await client.gather(awaited, asynchronous=True))

        # Never cancelled: it ends by itself when the tasks are, and a cancelled `Client._gather` may wait for ever.
        tasks.results = run_coroutine_threadsafe(fetch(), client.loop.asyncio_loop)


class RoundSubmitter(TaskSubmitter):
    """Submits the rounds of a job."""

    def __init__(self, cluster: Cluster, job: Job, pool: WorkerPool, run_tag: str) -> None:
        super().__init__(cluster, pool, run_tag)
        self._job = job

    def submit_round(self, round_: Round, before: RoundInput) -> SubmittedRound:
        """Submit all tasks of a round. Their keys are new each time, so that a round can be submitted again."""
        tag, job = f"{self.next_tag()}-{round_.number}", self._job
        tasks = SubmittedRound(self._run_tag, self._pool.restricted_to, round=round_, before=before)
        if isinstance(before, TrainState):
            (before,) = self.submit(tasks, _same, [(before,)], f"start-{tag}")
        arguments = [(job, round_, shard, before) for shard in range(round_.shards)]
        tasks.parts = tasks.shards = self.submit(tasks, _shard_update, arguments, f"round-{tag}")
        level = 0
        while len(tasks.parts) > FAN_IN:
            groups = [(tasks.parts[low : low + FAN_IN],) for low in range(0, len(tasks.parts), FAN_IN)]
            tasks.parts = self.submit(tasks, partial_sum, groups, f"sum-{tag}-{level}")
            level += 1
        updates = (round_, tasks.parts)
        if level == 0 and self._are_updates_small(round_):
            tasks.awaited = tasks.parts
        else:
            wanted = (job, updates, self.brings_state(round_))
            tasks.awaited = self.submit(tasks, round_result, [wanted], f"report-{tag}", priority=-1)
        self.fetch(tasks)
        # Few shards compute the next state themselves, which saves a hop. Many would each fetch several float64 sums.
        if level > 0:
            (tasks.state,) = self.submit(tasks, state_after, [(job, updates)], f"state-{tag}")
        return tasks

    def brings_state(self, round_: Round) -> bool:
        """Whether the state after a round is fetched with its result."""
        if is_state_small(self._job) or self._job.plan.ends_epoch(round_):
            return True
        return (round_.number + 1) % STATE_EVERY_ROUNDS == 0

    def _are_updates_small(self, round_: Round) -> bool:
        """Whether the coordinator fetches the shards' updates and averages them itself, so that no worker waits."""
        vectors = 2 * round_.shards + 2  # parameters and velocity of each shard, and the state it started from
        return vectors * 4 * self._job.network.num_parameters <= FETCH_BYTES


def is_state_small(job: Job) -> bool:
    """Whether the state of a job is small enough to be fetched whenever there is a new one."""
    return state_vectors(job.config) * 4 * job.network.num_parameters <= FETCH_BYTES


def _shard_update(job: Job, round_: Round, shard: int, before: TrainState | Predecessor) -> ShardUpdate:
    """One shard's steps of one round, with the address of the worker that this runs on."""
    check_fingerprint(job)
    return shard_update(job, round_, shard, before, worker=get_worker().address)


def _same(state: TrainState) -> TrainState:
    """Turns a state that the coordinator holds into a result that tasks can take."""
    return state


def _futures_in(value: object) -> Iterator[Future]:
    """The results of other tasks among a task's arguments."""
    if isinstance(value, Future):
        yield value
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _futures_in(item)
