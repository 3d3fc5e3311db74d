"""States and averages for tests of strategies."""

import numpy as np

from ops.engines.base import Replica
from service.rounds.strategies import Average
from service.rounds.train_state import TrainState

SIZE = 37


def drawn(seed: int = 0) -> tuple[TrainState, Average]:
    """A state that a round began with, and the average that it ended in."""
    rng = np.random.default_rng(seed)
    theta, outer, velocity = rng.normal(size=(3, SIZE)).astype(np.float32)
    return TrainState(Replica(theta, np.zeros_like(theta)), outer), Average(rng.normal(size=SIZE), velocity)
