"""Velocities of the steps that start at zero again after an average (Wang et al., SlowMo, 2020, section 2)."""

from dataclasses import dataclass, replace

import numpy as np

from ops.engines.base import AveragingRule, Floats
from service.rounds.strategies.base import Average, Interval, Progress, Strategy, averaging_rule
from service.rounds.train_state import TrainState


@dataclass(frozen=True)
class VelocityReset:
    """Another strategy, after whose averages the momentum buffers of the steps are zero.

        velocity <- 0

    Attributes:
        inner: the other strategy.
    """

    inner: Strategy

    def init(self, theta: Floats) -> Floats:
        return self.inner.init(theta)

    def interval(self, progress: Progress) -> Interval:
        return self.inner.interval(progress)

    @property
    def averaging_rule(self) -> AveragingRule | None:
        """See `service.rounds.strategies.base.averaging_rule`."""
        inner = averaging_rule(self.inner)
        return replace(inner, reset_velocity=True) if inner else None

    def update(self, start: TrainState, average: Average) -> TrainState:
        state = self.inner.update(start, average)
        return replace(state, replica=replace(state.replica, velocity=np.zeros_like(state.replica.velocity)))
