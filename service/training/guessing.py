"""What can be reached without a look at the pictures, and what to change where a training got no further."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

import numpy as np

from service.config import TrainConfig

ENOUGH_STEPS = 2000
"""Networks of sigmoids have left their plateau after so many steps, or are unlikely to leave it at all."""


@dataclass(frozen=True)
class Guessing:
    """The best of all answers that are the same for every picture.

    Attributes:
        loss: its mean cross-entropy, in nats.
        accuracy: how often it is right.
    """

    loss: float
    accuracy: float

    @classmethod
    def of(cls, counts: Sequence[int], label_smoothing: float = 0.0, class_weights: Sequence[float] = ()) -> "Guessing":
        """What guessing reaches on examples of which so many are of each class.

        The best probabilities are the shares of the targets, each times its class's weight, and their loss is the
        entropy of these shares, times what all of them weigh.
        """
        shares = np.asarray(counts, np.float64) / sum(counts)
        targets = ((1 - label_smoothing) * shares + label_smoothing / len(shares)) * (class_weights or 1)
        targets = targets[targets > 0]
        return cls(float(-(targets * np.log(targets / targets.sum())).sum()), float(shares.max()))


def advice(config: TrainConfig, steps_per_epoch: int, *, fell_back: bool) -> str:
    """What to change where a training is no better than guessing.

    Args:
        config: the training.
        steps_per_epoch: its steps in an epoch.
        fell_back: whether it had been better before.
    """
    lower = f"train with a lower learning rate, such as --lr {config.optimizer.lr / 3:.1g}"
    if fell_back:
        return f"{lower}; or publish the best epoch, with --holdout N --keep best"
    steps, epochs = config.epochs * steps_per_epoch, ceil(ENOUGH_STEPS / steps_per_epoch)
    ways = []
    if epochs > config.epochs:
        ways.append(f"take more steps: --epochs {epochs} makes {epochs * steps_per_epoch:,} instead of {steps:,}")
    if config.network_name == "lenet":
        ways.append("train a network without sigmoids: --model lenet-relu")
    if config.averaging.shards > 1 and config.averaging.solo_share < 0.5:
        ways.append("average later: --solo-share 0.5")
    return "; or ".join([*ways, lower, "see whether the labels belong to the pictures"])
