"""The SGD steps of a shard in a round: which examples, at which learning rates."""

import numpy as np
from numpy.typing import NDArray

from ops.engines.base import Steps
from service.rounds.job import Job, chunks_of, split_of
from service.rounds.learning_rates import learning_rates
from service.rounds.plan import Round


def steps_of(job: Job, round_: Round, shard: int) -> Steps:
    """The SGD steps that a shard takes in a round."""
    examples, offsets = batches_of(job, round_, shard)
    if job.config.holdout:
        examples = split_of(job).trained_on[examples]
    return Steps(
        examples=examples,
        offsets=offsets,
        rates=learning_rates(job, round_),
        seed=job.config.seed,
        epoch=round_.epoch,
    )


def batches_of(job: Job, round_: Round, shard: int) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """The examples that a shard takes, counted among those that are trained on, and where each of its steps begins."""
    return job.plan.batches(round_, shard, chunks_of(job))
