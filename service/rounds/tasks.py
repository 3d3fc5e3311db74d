"""The tasks that rounds are made of: pure functions, from values to values, that can be run again anywhere.

They run on the workers; `round_result` also where the coordinator sums up a round itself.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from time import perf_counter, time

import numpy as np

from ops.averaging import squared_distance
from ops.backends.cpu.threads import shared
from ops.engines.base import StepResult, Steps
from service.environment.processors import usable_processors
from service.rounds.averaging import Divergence, apply_average, divergence, partial_sum, start_of
from service.rounds.job import Job, engine_of, training_data
from service.rounds.moving_average import with_moving_average
from service.rounds.plan import Measured, Round
from service.rounds.reading import examples_for, resident_images
from service.rounds.shard_update import Pace, PartialSum, RoundStats, ShardUpdate
from service.rounds.steps import steps_of
from service.rounds.train_state import TrainState
from service.rounds.worker_cache import process_cache

Predecessor = tuple[Round, Sequence[ShardUpdate | PartialSum]]
"""The round before, with what its shards came to: enough to work out the state after it."""

KEPT_PARAMETERS = 1 << 20
"""Up to this size of network a process keeps the newest averages. Several of its tasks need the same one."""


@dataclass(frozen=True)
class RoundResult:
    """What the coordinator learns of a finished round.

    Attributes:
        round: which one.
        examples: how many it used.
        loss: mean over the examples, in nats, each before the step that used it.
        accuracy: likewise.
        digest: SHA-256 of the parameters after the round, or of their moving average, where the run keeps one.
        drift: see `service.rounds.averaging.Divergence`.
        dispersion: likewise.
        seconds: time spent in steps, over all shards.
        ended: when the last step was done, in seconds since 1970; the result may arrive later.
        quickest: the shard that took the least time for an example.
        slowest: the shard that took the most.
        state: the state after the round; None where it is left out.
        theta_digest: SHA-256 of the parameters, where the run keeps a moving average; else empty.
    """

    round: Round
    examples: int
    loss: float
    accuracy: float
    digest: str
    drift: float
    dispersion: float
    seconds: float
    ended: float
    quickest: Pace
    slowest: Pace
    state: TrainState | None
    theta_digest: str = ""

    @classmethod
    def of(
        cls,
        round_: Round,
        stats: RoundStats,
        apart: Divergence,
        *,
        digest: str,
        theta_digest: str,
        state: TrainState | None,
    ) -> "RoundResult":
        """What all shards together, and how far apart they got, make of a round. The rest is as above."""
        return cls(
            round=round_,
            examples=stats.examples,
            loss=stats.loss / stats.examples,
            accuracy=stats.correct / stats.examples,
            digest=digest,
            drift=apart.drift,
            dispersion=apart.dispersion,
            seconds=stats.seconds,
            ended=stats.ended,
            quickest=stats.quickest,
            slowest=stats.slowest,
            state=state,
            theta_digest=theta_digest,
        )

    @property
    def measured(self) -> Measured:
        """What later intervals may depend on. In a round that is taken alone there is nothing that could disperse."""
        return Measured(self.loss, None if self.round.solo else self.dispersion)


def shard_updates(
    job: Job, round_: Round, shards: Sequence[int], before: TrainState | Predecessor, worker: str = ""
) -> list[ShardUpdate]:
    """The steps of some shards of one round, in one call of the engine: the bits that each shard gives by itself.

    Args:
        job: the training.
        round_: the round.
        shards: which of its shards, at least one.
        before: the state that the round begins with, or the round before, which leads to it.
        worker: the address of the worker that this runs on, which is noted beside how fast it was.
    """
    start = before if isinstance(before, TrainState) else state_after(job, before)
    steps = [steps_of(job, round_, shard) for shard in shards]
    updates = unmeasured_updates(job, round_, shards, start, steps, worker)
    return [measured(job, start, update) for update in updates]


def unmeasured_updates(
    job: Job, round_: Round, shards: Sequence[int], start: TrainState, steps: Sequence[Steps], worker: str
) -> list[ShardUpdate]:
    """The same, without the distances that the shards' parameters travelled."""
    engine = engine_of(job)
    threads = usable_processors() if round_.solo else 1  # nobody else has anything to do then
    with examples_for(job, round_, shards, steps) as data, shared(threads):
        began = perf_counter()
        results = engine.run_shards([start.replica] * len(shards), data, steps)
    example_s = (perf_counter() - began) / max(sum(result.examples for result in results), 1)
    return [
        ShardUpdate(
            result.replica, _stats(result, Pace(example_s, worker)), start.without_velocity() if shard == 0 else None
        )
        for shard, result in zip(shards, results, strict=True)
    ]


def measured(job: Job, start: TrainState, update: ShardUpdate) -> ShardUpdate:
    """What a shard came to, with the distance that its parameters travelled from a start."""
    trained, stats = job.network.num_parameters, update.stats
    moved = squared_distance(update.replica.theta[:trained], start.replica.theta[:trained])
    return replace(update, stats=replace(stats, spread=stats.examples * moved))


def shard_update(
    job: Job, round_: Round, shard: int, before: TrainState | Predecessor, worker: str = ""
) -> ShardUpdate:
    """The steps of one shard. See `shard_updates`."""
    return shard_updates(job, round_, [shard], before, worker)[0]


def warm_up(job: Job) -> None:
    """Have a worker load the data and compile the engine before its first round. A speed-up and nothing else."""
    if resident_images(job) is None:
        training_data(job)


def round_result(job: Job, done: Predecessor, with_state: bool) -> RoundResult:
    """What came of a round.

    Args:
        job: the training.
        done: the round, with what its shards came to.
        with_state: whether the result has the state after the round.
    """
    return result_of(job, done[0], *averaged(job, done), with_state=with_state)


def result_of(job: Job, round_: Round, whole: PartialSum, state: TrainState, *, with_state: bool) -> RoundResult:
    """The same, where the sum over a round's shards and the state that it leads to are known."""
    with np.errstate(over="ignore", invalid="ignore"):  # a loss that is no number says that a training diverged
        apart = divergence(whole, round_.last - round_.first, job.network.num_parameters)
    kept = state if with_state else None
    return RoundResult.of(round_, whole.stats, apart, digest=state.digest, theta_digest=state.theta_digest, state=kept)


def state_after(job: Job, done: Predecessor) -> TrainState:
    """The state that a finished round leads to."""
    return averaged(job, done)[1]


def averaged(job: Job, done: Predecessor) -> tuple[PartialSum, TrainState]:
    """The sum over a round's shards and the state that it leads to."""
    round_, parts = done
    plain = job.averages_plainly(round_)

    def compute() -> tuple[PartialSum, TrainState]:
        with np.errstate(over="ignore", invalid="ignore"):  # as in `result_of`
            whole = partial_sum(parts)
            start, trained = start_of(whole), job.network.num_parameters
            after = apply_average(whole, job.strategy, plain=plain, trained=trained)
            return whole, with_moving_average(job, round_, start, after)

    if job.network.num_parameters > KEPT_PARAMETERS:
        return compute()
    key = (job.strategy, job.config.ema, plain, tuple(part.uid for part in parts))
    return process_cache().averages.get(key, compute)


def _stats(result: StepResult, pace: Pace) -> RoundStats:
    return RoundStats(
        examples=result.examples,
        loss=result.loss,
        correct=result.correct,
        spread=0.0,
        seconds=pace.example_s * result.examples,
        ended=time(),
        quickest=pace,
        slowest=pace,
    )
