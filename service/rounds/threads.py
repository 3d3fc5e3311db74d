"""Rounds whose shards are computed side by side by threads of one process.

    thread 0  | shard 0 | shard 2 |         | shard 0 | ...
    thread 1  | shard 1 | shard 3 |         | shard 1 | ...
    caller                        | average |   | distances, digest, the steps of the round after

The threads wait for nothing but the average. All else is worked out while they are at the next round.
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from time import monotonic, sleep

from ops.engines.base import Steps
from service.rounds.averaging import tree_of_sums, tree_total
from service.rounds.job import Job
from service.rounds.plan import Round
from service.rounds.schedule import RoundSchedule
from service.rounds.shard_update import ShardUpdate
from service.rounds.steps import steps_of
from service.rounds.tasks import RoundResult, averaged, measured, result_of, unmeasured_updates
from service.rounds.train_state import TrainState
from service.rounds.worker_cache import process_cache

YIELD_S, YIELD_SHARE = 0.005, 0.02
"""How long the caller leaves the processors to the threads that begin a round: seconds, and a share of a round."""


def rounds_on_threads(
    job: Job, state: TrainState, first: Round, schedule: RoundSchedule, rounds: int, worker: str, threads: int
) -> Iterator[RoundResult]:
    """Compute rounds one after another. The result of each has the state after it.

    Args:
        job: the training.
        state: what `first` starts from.
        first: the round to begin with.
        schedule: which round follows which. It is kept up to date with what each round measured.
        rounds: how many; fewer where the run ends.
        worker: see `shard_updates`.
        threads: how many shards are computed side by side.
    """
    with ThreadPoolExecutor(threads, "shards") as pool:
        round_, began = first, monotonic()
        updates = _begin(pool, job, round_, state, schedule, worker)
        for left in reversed(range(rounds)):
            done = [update.result() for update in updates]
            whole, after = averaged(job, (round_, tree_of_sums(done)))
            following = schedule.after(round_)
            if left and following:
                took_s, began = monotonic() - began, monotonic()
                updates = _begin(pool, job, following, after, schedule, worker, min(YIELD_S, YIELD_SHARE * took_s))
            stats = tree_total(measured(job, state, update).stats for update in done)
            result = result_of(job, round_, replace(whole, stats=stats), after, with_state=True)
            schedule.note(round_, result.measured)
            yield result
            if following is None:
                return
            round_, state = following, after


def _begin(
    pool: ThreadPoolExecutor,
    job: Job,
    round_: Round,
    start: TrainState,
    schedule: RoundSchedule,
    worker: str,
    yield_s: float = 0,
) -> list[Future[ShardUpdate]]:
    """Have the shards of a round computed. When the threads are at it, look up the steps of the round after it."""
    updates = [pool.submit(_shard_update, job, round_, shard, start, worker) for shard in range(round_.shards)]
    sleep(yield_s)
    if following := schedule.after(round_):
        _steps(job, following)
    return updates


def _shard_update(job: Job, round_: Round, shard: int, start: TrainState, worker: str) -> ShardUpdate:
    return unmeasured_updates(job, round_, [shard], start, [_steps(job, round_)[shard]], worker)[0]


def _steps(job: Job, round_: Round) -> Sequence[Steps]:
    """The steps of all shards of a round, which this process keeps until it is at the round after the next."""
    key = (job.config, job.data.path, job.data.digest, round_)
    return process_cache().steps.get(key, lambda: [steps_of(job, round_, shard) for shard in range(round_.shards)])
