"""The exponential moving average of the parameters, which is evaluated and published in their place (`--ema`)."""

from dataclasses import replace
from itertools import repeat
from math import prod

import numpy as np

from ops.engines.base import Floats
from ops.pieces import pieces
from service.rounds.job import Job
from service.rounds.plan import Round
from service.rounds.train_state import TrainState


def with_moving_average(job: Job, round_: Round, before: TrainState, after: TrainState) -> TrainState:
    """A state after a round, with the moving average that goes with it, if the run keeps one.

    Args:
        job: the training.
        round_: the round.
        before: the state that the round began with.
        after: the state after the round.
    """
    return replace(after, ema=moving_average(job, round_, before.ema, after.replica.theta))


def moving_average(job: Job, round_: Round, ema: Floats | None, theta: Floats) -> Floats | None:
    """The moving average after a round of n steps: ema <- d^n ema + (1 - d^n) theta.

    It is computed in float64 from the averaged parameters, at the end of every round, buffers included. A shard's steps
    within the round are not seen, so with H = 1 it is that of Polyak and Juditsky (1992) in the exponential form that
    Tarvainen and Valpola (Mean teachers are better role models, 2017) and others use: an update after each step.

    Args:
        job: the training.
        round_: the round.
        ema: the moving average before; None where the run keeps none.
        theta: (size,) float32, parameters and buffers after the round.

    Returns:
        (size,) float32, or None.
    """
    if ema is None:
        return None
    kept = kept_share(job.config.ema, round_.epoch * job.plan.steps_per_epoch + round_.last, round_.last - round_.first)
    after = np.empty_like(ema)
    for piece in pieces(after.size):
        after[piece] = kept * ema[piece].astype(np.float64) + (1 - kept) * theta[piece].astype(np.float64)
    return after


def kept_share(decay: float, done: int, steps: int) -> float:
    """How much of the moving average is kept over a round.

    Early in a run it is less than the decay says, min(decay, (1 + t) / (10 + t)) a step, so that first weights, which
    are random, are soon forgotten (TensorFlow's `ExponentialMovingAverage` with `num_updates`).

    Args:
        decay: how much is kept a step.
        done: the t: how many steps are done when the round ends.
        steps: how many the round has.
    """
    return prod(repeat(min(decay, (1 + done) / (10 + done)), steps))  # a product has the same bits everywhere
