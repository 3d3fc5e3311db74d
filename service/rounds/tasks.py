"""What rounds are made of: pure functions, from values to values, that can be run again anywhere.

They run on the workers; `report` also where the coordinator sums up by itself.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from threading import Lock
from time import perf_counter, time

import numpy as np

from ops.engines.base import Steps
from ops.schedule import SCHEDULES, WarmUp
from service.config import AveragingConfig
from service.rounds.averaging import (
    Pace,
    PartialSum,
    RoundStats,
    ShardUpdate,
    TrainState,
    apply_average,
    divergence,
    weighted_sum,
    without_velocity,
)
from service.rounds.job import Job, engine_of, training_data
from service.rounds.plan import Round

Before = tuple[Round, Sequence[ShardUpdate | PartialSum]]
"""The round before, with what its shards handed in: enough to work out the state after it."""


KEPT_PARAMETERS = 1 << 20
"""Up to this size of network a process keeps the newest outcome of a round until there is another."""


@dataclass(frozen=True)
class RoundResult:
    """What the coordinator learns of a finished round.

    loss: mean over the examples, in nats, each before the step that used it. accuracy: likewise.
    digest: SHA-256 of the parameters after the round. drift, dispersion: see `Divergence`. seconds: spent in steps,
    over all shards. ended: when the last step was done, in seconds since 1970; the report may come later.
    quickest, slowest: the shards that took the least and the most time for an example.
    state: the state after the round, where it was asked for.
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


def local_round(job: Job, round_: Round, shard: int, before: TrainState | Before, worker: str = "") -> ShardUpdate:
    """One shard's steps of one round, from the state that the round before leads to.

    worker: the address of the worker that this runs on, which is noted beside how fast it was.
    """
    start = before if isinstance(before, TrainState) else state_after(job, before)
    engine, data = engine_of(job), training_data(job)
    steps = steps_of(job, round_, shard)
    began = perf_counter()
    outcome = engine.run(start.replica, data, steps)
    seconds = perf_counter() - began
    pace = Pace(seconds / max(outcome.examples, 1), worker)
    moved = outcome.replica.theta.astype(np.float64) - start.replica.theta
    tally = RoundStats(
        examples=outcome.examples,
        loss=outcome.loss,
        correct=outcome.correct,
        spread=outcome.examples * float(np.sum(moved * moved)),
        seconds=seconds,
        ended=time(),
        quickest=pace,
        slowest=pace,
    )
    return ShardUpdate(outcome.replica, tally, without_velocity(start) if shard == 0 else None)


def warm_up(job: Job) -> None:
    """Have a worker load the data and compile the engine before its first round. A speed-up and nothing else."""
    training_data(job)


def partial_sum(parts: Sequence[ShardUpdate | PartialSum]) -> PartialSum:
    """One node of the averaging tree."""
    return weighted_sum(parts)


def report(job: Job, before: Before, with_state: bool) -> RoundResult:
    """Sum up a round whose shards have handed in."""
    round_, _ = before
    with np.errstate(over="ignore", invalid="ignore"):  # a training that diverges is told by its loss
        whole, state = _outcome(job, before)
        tally, apart = whole.tally, divergence(whole, round_.last - round_.first)
        return RoundResult(
            round=round_,
            examples=tally.examples,
            loss=tally.loss / tally.examples,
            accuracy=tally.correct / tally.examples,
            digest=state.digest,
            drift=apart.drift,
            dispersion=apart.dispersion,
            seconds=tally.seconds,
            ended=tally.ended,
            quickest=tally.quickest,
            slowest=tally.slowest,
            state=state if with_state else None,
        )


def state_after(job: Job, before: Before) -> TrainState:
    """The state that a finished round leads to."""
    return _outcome(job, before)[1]


def steps_of(job: Job, round_: Round, shard: int) -> Steps:
    """The SGD steps that a shard takes in a round, with their learning rates.

    The warm-up is the gradual one of Goyal et al. (Accurate, large minibatch SGD, 2017).
    """
    plan, optimizer = job.plan, job.config.optimizer
    examples, offsets = plan.batches(round_, shard)
    first = round_.epoch * plan.steps_per_epoch
    schedule = WarmUp(SCHEDULES[optimizer.schedule](optimizer.lr), round(optimizer.warmup * plan.steps))
    scale = shards_scale(round_, job.config.averaging.lr_scaling)
    rates = [scale * schedule(first + step, plan.steps) for step in range(round_.first, round_.last)]
    return Steps(
        examples=examples,
        offsets=offsets,
        rates=np.array(rates, np.float32),
        seed=job.config.seed,
        epoch=round_.epoch,
    )


def _outcome(job: Job, before: Before) -> tuple[PartialSum, TrainState]:
    """The sum over a round's shards and the state that it leads to.

    Several tasks of a process ask for the same; a small answer is kept for the next of them.
    """
    round_, parts = before
    small = job.network.num_parameters <= KEPT_PARAMETERS
    if not small:
        return _joined.__wrapped__(tuple(parts), job.config.averaging, round_.solo)
    with _joining:
        return _joined(tuple(parts), job.config.averaging, round_.solo)


_joining = Lock()
"""Workers that are threads ask for the same at the same time: the others wait for the first."""


@lru_cache(maxsize=8)
def _joined(
    parts: tuple[ShardUpdate | PartialSum, ...], averaging: AveragingConfig, solo: bool
) -> tuple[PartialSum, TrainState]:
    whole = weighted_sum(parts)
    return whole, apply_average(whole, averaging, solo=solo)


def shards_scale(round_: Round, power: float) -> float:
    """By what the learning rate is multiplied while so many shards are apart: K to a power, 1 in a solo round.

    1 is the linear scaling rule (Goyal et al., 2017), 1/2 the square root rule (Krizhevsky, 2014). A shard's batch
    is a K-th of the global one, so that the negative powers are the same rules for the batch that it takes by itself.
    """
    return 1.0 if round_.solo else float(round_.shards) ** power
