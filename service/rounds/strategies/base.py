"""What a strategy of averaging is: a value with three pure functions."""

from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from ops.engines.base import AveragingRule, Floats
from service.rounds.train_state import TrainState


class Progress(NamedTuple):
    """Where in a run the next round begins.

    Attributes:
        step: how many steps are done.
        steps: how many there are. Where one strategy follows on another, both count its own steps only.
        dispersion: how fast the replicas disperse (`service.rounds.averaging.Divergence`), as measured in the round
            that began `plan.ROUNDS_AHEAD` rounds before; None where there is none, or it was taken alone.
        examples: how many an epoch has; 0 where that isn't known.
        loss: the train loss of the round that `dispersion` is about; None where there is none.
        solo_steps: how many steps were taken alone so far, of those that are done.
    """

    step: int
    steps: int
    dispersion: float | None = None
    examples: int = 0
    loss: float | None = None
    solo_steps: int = 0


class Interval(NamedTuple):
    """How long the next round is.

    Attributes:
        steps: how many steps each shard takes before the replicas are averaged, at least 1. A round ends with its
            epoch anyway.
        solo: whether one task takes the whole batches of these steps alone, instead of all shards. It is what averaging
            after every step comes to, without its cost. Nothing is averaged then, and `update` isn't called.
    """

    steps: int
    solo: bool = False


class Average(NamedTuple):
    """The mean of the replicas after a round, each weighted by its examples.

    Attributes:
        theta: (parameters,) float64.
        velocity: (parameters,) float32.
    """

    theta: NDArray[np.float64]
    velocity: Floats


class Strategy(Protocol):
    """How replicas part ways and become one again.

    A strategy is a frozen dataclass, so that it can be compared, hashed and sent. All three methods are pure: the same
    arguments give the same result, bit for bit, in every process.
    """

    def init(self, theta: Floats) -> Floats:
        """What the strategy keeps between rounds, as it is before the first: `TrainState.outer`.

        Args:
            theta: (parameters,) float32, what the run starts from.

        Returns:
            A float32 vector, of as many numbers as the strategy likes.
        """

    def interval(self, progress: Progress) -> Interval:
        """How long the round is that begins here."""

    def update(self, start: TrainState, average: Average) -> TrainState:
        """The state that the next round begins with.

        Args:
            start: the state that the round began with; its velocity is left out, and is all zeros.
            average: the mean of where the shards arrived.
        """


def averaging_rule(strategy: Strategy) -> AveragingRule | None:
    """What `update` comes to, if an engine can work it out where it computes: `ops.averaging` has the equations.

    A strategy whose `update` is the plain average or the outer optimizer of those equations, and whose interval depends
    on nothing that is measured while the shards are apart, says so by a property `averaging_rule`. All others get their
    averages on the host.
    """
    rule: AveragingRule | None = getattr(strategy, "averaging_rule", None)
    return rule
