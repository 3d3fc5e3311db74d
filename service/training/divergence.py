"""What is said of a training that came to no numbers."""

from math import isfinite

from service.config import TrainConfig
from service.errors import RunError
from service.training.epoch_scores import EpochScores


def diverged(run: str, config: TrainConfig, how: str) -> RunError:
    """The error of a run. how: what is no number."""
    return RunError(f"run {run} diverged: {how}; train with a lower learning rate than {config.optimizer.lr:g}")


def check_scores(run: str, config: TrainConfig, epoch: int, scores: EpochScores) -> None:
    """Raise RunError where the loss on examples that weren't trained on is no number.

    Parameters of which every step had a loss may be too large for those after the last one.
    """
    for score in (scores.test, scores.validation):
        if score and not isfinite(score.loss):
            raise diverged(run, config, f"evaluated after epoch {epoch + 1} its loss is {score.loss}")
