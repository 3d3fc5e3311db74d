"""Notices, while a run trains, that its loss is that of guessing."""

from collections.abc import Sequence

from service.config import TrainConfig
from service.data import label_counts
from service.errors import DataError
from service.rounds.job import Job
from service.runs import Entry
from service.training.guessing import Guessing, advice

AS_GUESSING = 0.98
"""A loss of so much of that of guessing is no better: it moves by a percent while nothing is learned."""
PATIENCE_STEPS, PATIENCE_SHARE = 1000, 0.4
"""Many networks begin on a plateau. One is noticed after so many steps, or after this share of a shorter run."""


def guessing_loss(job: Job) -> float:
    """The train loss of guessing; 0, which no training has, where the labels can't be read here."""
    try:
        counts = label_counts(job.data.path, "train")
    except DataError:
        return 0.0
    return Guessing.of(counts, job.config.optimizer.label_smoothing, job.class_weights).loss


def plateau_notice(epochs: Sequence[Entry], guessing: float, config: TrainConfig, steps_per_epoch: int) -> str:
    """What to tell of a run after an epoch; empty where all is well, or it is too early to say.

    Args:
        epochs: the `epoch` lines of its log so far.
        guessing: the loss of guessing, or 0 where it isn't known.
        config: what is trained.
        steps_per_epoch: its steps in an epoch.
    """
    losses = [float(entry["train_loss"]) for entry in epochs]
    if not guessing or len(losses) < 2 or min(losses[-2:]) < AS_GUESSING * guessing:
        return ""
    best = min(losses)
    fell_back = best < AS_GUESSING * guessing
    if not fell_back and len(losses) < min(PATIENCE_STEPS / steps_per_epoch, PATIENCE_SHARE * config.epochs):
        return ""
    first = config.first_epoch
    so_far = (
        f"has gone back to that of guessing ({guessing:.3f}), after {best:.3f} in epoch "
        f"{first + losses.index(best) + 1}"
        if fell_back
        else f"is still that of guessing ({guessing:.3f})"
    )
    change = advice(config, steps_per_epoch, fell_back=fell_back)
    done = f"after epoch {first + len(losses)} of {config.epochs}"
    return f"{done} the train loss, {losses[-1]:.3f}, {so_far}; {change}"
