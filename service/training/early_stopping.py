"""Which epoch of a run is the best, and after which it ends: pure functions of the figures on held-out examples.

They look at figures in the order of the epochs, never at when these arrived, so that every process that follows a run
comes to the same answers, on any number of workers.

    epoch                 0    1    2    3    4    5    6
    accuracy            .71  .78  .80  .79  .80  .78  .81      with a patience of 3, the run ends after epoch 5
    best so far           0    1    2    2    2    2
    last epoch so far     3    4    5    5    5    5
"""

from collections.abc import Mapping

from service.training.epoch_scores import EpochScores
from service.training.metrics import Score


def best_epoch(scores: Mapping[int, EpochScores], first: int = 0) -> int | None:
    """The epoch with the highest accuracy on held-out examples; of equal ones that of the lowest loss, then the first.

    Args:
        scores: the figures by epoch. Those behind a gap don't count.
        first: the epoch that the run begins with.

    Returns:
        The epoch, or None where the first one isn't measured, or nothing was held out.
    """
    measured = {epoch: _held_out(scores[epoch]) for epoch in range(first, first_unmeasured(scores, first))}
    if not measured:
        return None
    return max(measured, key=lambda epoch: (measured[epoch].accuracy, -measured[epoch].loss, -epoch))


def first_unmeasured(scores: Mapping[int, EpochScores], first: int = 0) -> int:
    """The first epoch without figures on held-out examples."""
    epoch = first
    while epoch in scores and scores[epoch].validation is not None:
        epoch += 1
    return epoch


def last_epoch(scores: Mapping[int, EpochScores], epochs: int, patience: int, first: int = 0) -> int:
    """The epoch that the run ends with, unless one of those not measured yet turns out to be better.

    Args:
        scores: the figures by epoch.
        epochs: the configured end.
        patience: after how many epochs without a better one the run ends; 0 where it doesn't end early.
        first: the epoch that the run begins with.
    """
    if not patience:
        return epochs - 1
    best = best_epoch(scores, first)
    return min((first if best is None else best) + patience, epochs - 1)


def _held_out(scores: EpochScores) -> Score:
    assert scores.validation is not None, "only epochs with figures on held-out examples are counted"
    return scores.validation
