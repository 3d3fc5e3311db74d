"""Rounds whose shards are computed side by side by threads of one process.

    thread 0  | shard 0 | shard 2 | next steps | shard 0 ...
    thread 1  | shard 1 | shard 3 |            | shard 1 ...
    caller                          average     result, digest

What the next round's steps can't begin without is done first: the average. Measures and digests of a round are worked
out while the threads are at the next one. The next round's examples are looked up by a thread that has nothing else
to do, while another one finishes its shard.
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

from ops.engines.base import Steps
from service.rounds.averaging import tree_of_sums
from service.rounds.job import Job
from service.rounds.plan import Round
from service.rounds.schedule import RoundSchedule
from service.rounds.shard_update import ShardUpdate
from service.rounds.steps import steps_of
from service.rounds.tasks import RoundResult, averaged, result_of, shard_updates
from service.rounds.train_state import TrainState
from service.rounds.worker_cache import process_cache


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
    pool = ThreadPoolExecutor(threads, "shards")
    try:
        round_, updates = first, _submit(pool, job, state, first, schedule, worker)
        for left in reversed(range(rounds)):
            whole, state = averaged(job, (round_, tree_of_sums([update.result() for update in updates])))
            following = schedule.after(round_)
            if left and following:
                updates = _submit(pool, job, state, following, schedule, worker)
            result = result_of(job, round_, whole, state, with_state=True)
            schedule.note(round_, result.measured)
            yield result
            if following is None:
                return
            round_ = following
    finally:
        pool.shutdown(wait=False)  # a thread may still look up the next steps, which the next span takes from it


def _submit(
    pool: ThreadPoolExecutor, job: Job, start: TrainState, round_: Round, schedule: RoundSchedule, worker: str
) -> list[Future[ShardUpdate]]:
    """Have the shards of a round computed, and then the steps of the round after it looked up."""
    updates = [pool.submit(_shard_update, job, round_, shard, start, worker) for shard in range(round_.shards)]
    if following := schedule.after(round_):
        pool.submit(_steps, job, following)
    return updates


def _shard_update(job: Job, round_: Round, shard: int, start: TrainState, worker: str) -> ShardUpdate:
    return shard_updates(job, round_, [shard], start, worker, [_steps(job, round_)[shard]])[0]


def _steps(job: Job, round_: Round) -> Sequence[Steps]:
    """The steps of all shards of a round, which this process keeps until it is at the round after the next."""
    key = (job.config, job.data.path, job.data.digest, round_)
    return process_cache().steps.get(key, lambda: [steps_of(job, round_, shard) for shard in range(round_.shards)])
