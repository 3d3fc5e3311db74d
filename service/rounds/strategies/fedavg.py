"""FedAvg: the mean of the replicas (McMahan et al., Communication-efficient learning of deep networks, 2017)."""

from dataclasses import dataclass

import numpy as np

from ops.engines.base import AveragingRule, Floats, Replica
from service.config import AveragingConfig
from service.rounds.strategies.base import Average, Interval, Progress, Strategy
from service.rounds.train_state import TrainState


@dataclass(frozen=True)
class FedAvg:
    """Every `every` steps the parameters become the mean of the replicas, each weighted by its examples.

    Algorithm 1 of the paper, with n_k examples of n on shard k:

        theta <- sum_k (n_k / n) * theta_k

    The velocities of the steps are averaged likewise. Without momentum this is local SGD (Stich, 2019).

    Attributes:
        every: steps between two averages.
    """

    every: int

    def init(self, theta: Floats) -> Floats:
        return np.zeros_like(theta)

    def interval(self, progress: Progress) -> Interval:
        return Interval(self.every)

    @property
    def averaging_rule(self) -> AveragingRule:
        """See `service.rounds.strategies.base.averaging_rule`."""
        return AveragingRule()

    def update(self, start: TrainState, average: Average) -> TrainState:
        return TrainState(Replica(average.theta.astype(np.float32), average.velocity), start.outer)


def from_config(config: AveragingConfig) -> Strategy:
    """`--strategy fedavg` reads --average-every."""
    return FedAvg(config.average_every)
