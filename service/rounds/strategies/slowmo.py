"""SlowMo: a slow momentum on what the average moved by (Wang et al., 2020)."""

from dataclasses import dataclass

import numpy as np

from ops.engines.base import Floats, Replica
from service.config import AveragingConfig
from service.rounds.strategies.base import Average, Interval, Progress, Strategy
from service.rounds.strategies.velocity_reset import VelocityReset
from service.rounds.train_state import TrainState


@dataclass(frozen=True)
class SlowMo:
    """The averaged displacement is followed with heavy-ball momentum.

    Algorithm 1 of the paper, with slow momentum beta and slow rate alpha, from x_0 to the average x_tau:

        u <- beta * u + (x_0 - x_tau) / gamma
        x <- x_0 - alpha * gamma * u

    The rate of the steps gamma cancels where it is the same in every round, and is left out. With outer = -gamma * u
    and the displacement d = x_tau - x_0:

        outer <- beta * outer + d
        x <- x_0 + alpha * outer

    DiLoCo takes Nesterov's momentum instead, which looks ahead by one more step.

    Attributes:
        every: steps between two averages, tau.
        lr: the slow rate alpha.
        momentum: the slow momentum beta.
    """

    every: int
    lr: float
    momentum: float

    def init(self, theta: Floats) -> Floats:
        return np.zeros_like(theta)

    def interval(self, progress: Progress) -> Interval:
        return Interval(self.every)

    def update(self, start: TrainState, average: Average) -> TrainState:
        origin = start.replica.theta.astype(np.float64)
        outer = self.momentum * start.outer.astype(np.float64) + (average.theta - origin)
        theta = origin + self.lr * outer
        return TrainState(Replica(theta.astype(np.float32), average.velocity), outer.astype(np.float32))


def from_config(config: AveragingConfig) -> Strategy:
    """`--strategy slowmo` reads --average-every, --outer-lr, --outer-momentum and --velocity."""
    slowmo = SlowMo(config.average_every, config.outer_lr, config.outer_momentum)
    return VelocityReset(slowmo) if config.velocity == "reset" else slowmo
