"""Velocities of the steps that start at zero again after an average (Wang et al., SlowMo, 2020, section 2)."""

from dataclasses import dataclass, replace

import numpy as np

from ops.engines.base import Floats
from service.rounds.strategies.base import Average, Interval, Progress, Strategy
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

    def update(self, start: TrainState, average: Average) -> TrainState:
        state = self.inner.update(start, average)
        return replace(state, replica=replace(state.replica, velocity=np.zeros_like(state.replica.velocity)))
