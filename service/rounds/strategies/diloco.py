"""DiLoCo: Nesterov momentum on what the average moved by (Douillard et al., 2023)."""

from dataclasses import dataclass

import numpy as np

from ops.averaging import nesterov_outer_step
from ops.engines.base import AveragingRule, Floats, Replica
from ops.pieces import zeros_as
from service.config import AveragingConfig
from service.rounds.strategies.base import Average, Interval, Progress, Strategy
from service.rounds.train_state import TrainState


@dataclass(frozen=True)
class DiLoCo:
    """The averaged displacement is the gradient of an outer optimizer, which has Nesterov momentum.

    Algorithm 1 of the paper, with the displacement d = mean(theta_k) - theta, momentum m and rate r:

        outer <- m * outer + d
        theta <- theta + r * (d + m * outer)

    The paper's workers keep their own inner optimizer; here the velocities of the steps are averaged, so that a state
    is one replica, whatever the number of shards. With m = 0 and r = 1 this is FedAvg to the bit.

    Attributes:
        every: steps between two averages.
        lr: the rate r.
        momentum: the momentum m.
    """

    every: int
    lr: float
    momentum: float

    def init(self, theta: Floats) -> Floats:
        return zeros_as(theta)

    def interval(self, progress: Progress) -> Interval:
        return Interval(self.every)

    @property
    def averaging_rule(self) -> AveragingRule:
        """See `service.rounds.strategies.base.averaging_rule`."""
        return AveragingRule(self.lr, self.momentum)

    def update(self, start: TrainState, average: Average) -> TrainState:
        if self.lr == 1 and self.momentum == 0:
            return TrainState(Replica(average.theta.astype(np.float32), average.velocity), start.outer)
        theta, outer = nesterov_outer_step(
            average.theta, start.replica.theta, start.outer, lr=self.lr, momentum=self.momentum
        )
        return TrainState(Replica(theta, average.velocity), outer)


def from_config(config: AveragingConfig) -> Strategy:
    """`--strategy diloco` reads --average-every, --outer-lr and --outer-momentum."""
    return DiLoCo(config.average_every, config.outer_lr, config.outer_momentum)
