"""The SGD steps of a shard in a round: which examples, at which learning rates."""

from ops.engines.base import Steps
from service.rounds.job import Job, split_of
from service.rounds.learning_rates import learning_rates
from service.rounds.plan import Round


def steps_of(job: Job, round_: Round, shard: int) -> Steps:
    """The SGD steps that a shard takes in a round."""
    examples, offsets = job.plan.batches(round_, shard)
    if job.config.holdout:
        examples = split_of(job).trained_on[examples]
    return Steps(
        examples=examples,
        offsets=offsets,
        rates=learning_rates(job, round_),
        seed=job.config.seed,
        epoch=round_.epoch,
    )
