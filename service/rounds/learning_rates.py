"""The learning rate of each step of a run: the schedule, the warm-up, and the scaling with the shards."""

import numpy as np

from ops.engines.base import Floats
from ops.lr_schedules import SCHEDULES, WarmUp
from service.rounds.job import Job
from service.rounds.plan import Round


def learning_rates(job: Job, round_: Round) -> Floats:
    """The learning rate of each step of a round: (steps,) float32.

    The schedule goes on over the whole run. The warm-up is the gradual one of Goyal et al. (Accurate, large minibatch
    SGD, 2017).
    """
    plan, optimizer = job.plan, job.config.optimizer
    schedule = WarmUp(SCHEDULES[optimizer.schedule](optimizer.lr), round(optimizer.warmup * plan.steps))
    scale = shards_scale(round_, job.config.averaging.lr_scaling)
    first = round_.epoch * plan.steps_per_epoch
    rates = [scale * schedule(first + step, plan.steps) for step in range(round_.first, round_.last)]
    return np.array(rates, np.float32)


def shards_scale(round_: Round, power: float) -> float:
    """What the learning rate is multiplied by in a round of K shards: K to a power; 1 where one task takes it alone.

    1 is the linear scaling rule (Goyal et al., 2017), 1/2 the square root rule (Krizhevsky, 2014). A shard's batch
    is a K-th of the global one, so that the negative powers are the same rules for the batch that it takes by itself.
    """
    return 1.0 if round_.solo else float(round_.shards) ** power
