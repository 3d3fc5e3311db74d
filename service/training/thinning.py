"""Which checkpoints a run keeps, so that its size doesn't grow with its epochs without end."""

from collections.abc import Mapping

from service.config import TrainConfig
from service.rounds.job import Job
from service.rounds.train_state import state_vectors
from service.runs import Entry, Run
from service.training.early_stopping import best_epoch
from service.training.epoch_scores import EpochScores

KEPT_BYTES = 2 << 30
"""How much the checkpoints of a run may take where nothing else is said."""

NEWEST = 2
"""So many of the newest ones are always kept: the last one may be damaged by whatever ends the run."""


def kept_every(config: TrainConfig, num_parameters: int) -> int:
    """The checkpoint of every so many epochs is kept: 1 keeps all. The same for all processes that follow a run."""
    if config.keep_checkpoints:
        return config.keep_checkpoints
    return max(1, -(-config.epochs * state_vectors(config) * 4 * num_parameters // KEPT_BYTES))


def keeps_all(job: Job) -> bool:
    """Whether the checkpoint of every epoch is kept. Those within an epoch go once there are two newer ones."""
    return kept_every(job.config, job.network.num_parameters) == 1


def evaluates_epochs(job: Job) -> bool:
    """Whether epochs are evaluated while the run trains: as wanted, or because their checkpoints won't be kept."""
    return job.config.evaluates_epochs or (job.config.evaluate == "auto" and not keeps_all(job))


def thin_checkpoints(run: Run, job: Job, epochs: Mapping[int, Entry], scores: Mapping[int, EpochScores]) -> None:
    """Remove the checkpoints that a run doesn't need any more.

    Args:
        run: the run, which this process holds.
        job: the training.
        epochs: the `epoch` lines of its log, by epoch.
        scores: the figures of the epochs that were evaluated.
    """
    every = kept_every(job.config, job.network.num_parameters)
    there = run.checkpoints.numbers()
    needed = set(scores) if evaluates_epochs(job) else set(epochs)
    for number in expendable(there, {e: int(entry["rounds_done"]) for e, entry in epochs.items()}, every, needed):
        if number != _best(epochs, scores, job.config.first_epoch):
            run.checkpoints.remove(number)


def expendable(there: list[int], epochs: Mapping[int, int], every: int, measured: set[int]) -> list[int]:
    """The checkpoints that may go, by how many rounds were done.

    Args:
        there: the checkpoints there are, newest first.
        epochs: how many rounds were done at the end of each epoch.
        every: the checkpoint of every so many epochs stays.
        measured: the epochs whose state isn't needed for their evaluation any more.
    """
    stay = set(there[:NEWEST])
    stay |= {done for epoch, done in epochs.items() if (epoch + 1) % every == 0 or epoch not in measured}
    return [number for number in there if number not in stay]


def _best(epochs: Mapping[int, Entry], scores: Mapping[int, EpochScores], first: int) -> int | None:
    best = best_epoch(scores, first)
    return int(epochs[best]["rounds_done"]) if best is not None and best in epochs else None
