"""What the shards of a round come to, one by one and added up."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import fsum
from typing import Any
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray

from ops.engines.base import Floats, Replica
from service.rounds.serialization import Packed, pack, unpack
from service.rounds.train_state import TrainState


@dataclass(frozen=True, order=True)
class Pace:
    """How fast a worker was.

    Attributes:
        example_s: seconds an example.
        worker: its address, "" outside of a cluster.
    """

    example_s: float
    worker: str


@dataclass(frozen=True)
class RoundStats:
    """What was counted and measured while steps were taken.

    Attributes:
        examples: how many were used.
        loss: the sum of their losses, in nats.
        correct: how many were classified right.
        spread: the sum, over the shards, of their examples times the squared distance that their parameters travelled.
        seconds: time spent in steps, over all shards.
        ended: when the last step was done, in seconds since 1970.
        quickest: the shard that took the least time for an example.
        slowest: the shard that took the most.
    """

    examples: int
    loss: float
    correct: int
    spread: float
    seconds: float
    ended: float = 0.0
    quickest: Pace = Pace(0.0, "")
    slowest: Pace = Pace(0.0, "")

    @classmethod
    def total(cls, parts: Sequence["RoundStats"]) -> "RoundStats":
        """The stats of several shards together."""
        return cls(
            examples=sum(part.examples for part in parts),
            loss=fsum(part.loss for part in parts),
            correct=sum(part.correct for part in parts),
            spread=fsum(part.spread for part in parts),
            seconds=fsum(part.seconds for part in parts),
            ended=max(part.ended for part in parts),
            quickest=min(part.quickest for part in parts),
            slowest=max(part.slowest for part in parts),
        )


def _unique_id() -> str:
    return uuid4().hex


@dataclass(frozen=True, eq=False)
class ShardUpdate:
    """What one shard comes to after a round.

    Attributes:
        replica: where its steps led.
        stats: what was measured on the way.
        start: the state that the round began with, without its velocity; only shard 0 of a round carries it.
        uid: names this result; its copies in other processes, and nothing else, have the same.
    """

    replica: Replica
    stats: RoundStats
    start: TrainState | None
    uid: str = field(default_factory=_unique_id)

    def __reduce__(self) -> tuple[Any, ...]:
        return _unpack_update, (self.replica.theta, pack(self.replica.velocity), self.stats, self.start, self.uid)


@dataclass(frozen=True, eq=False)
class PartialSum:
    """The sums over some neighbouring shards, each weighted by its examples.

    Attributes:
        theta: (parameters,) float64, the sum of their parameters.
        velocity: (parameters,) float64, the sum of their velocities.
        stats: their stats together.
        start: as in `ShardUpdate`.
        uid: as in `ShardUpdate`.
    """

    theta: NDArray[np.float64]
    velocity: NDArray[np.float64]
    stats: RoundStats
    start: TrainState | None
    uid: str = field(default_factory=_unique_id)

    def __reduce__(self) -> tuple[Any, ...]:
        return _unpack_sum, (self.theta, pack(self.velocity), self.stats, self.start, self.uid)


def _unpack_update(
    theta: Floats, velocity: Packed, stats: RoundStats, start: TrainState | None, uid: str
) -> ShardUpdate:
    return ShardUpdate(Replica(theta, unpack(velocity)), stats, start, uid)


def _unpack_sum(
    theta: NDArray[np.float64], velocity: Packed, stats: RoundStats, start: TrainState | None, uid: str
) -> PartialSum:
    return PartialSum(theta, unpack(velocity), stats, start, uid)
