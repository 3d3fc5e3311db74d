"""How replicas become one again: weighted by examples, in float64, in the order of the shards.

The sums are folded left to right, in groups of `FAN_IN` where there are more shards than that, so that the shape of
the sum, and with it every rounding, depends on the number of shards alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from math import fsum
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ops.engines.base import Floats, Replica
from service.config import AveragingConfig
from service.rounds.serialization import Sent, packed, unpacked

FAN_IN = 8
"""How many results one fold takes."""


@dataclass(frozen=True)
class TrainState:
    """Everything that one round hands to the next.

    replica: what every shard starts from. outer: (parameters,) float32, the outer optimiser's velocity.
    """

    replica: Replica
    outer: Floats

    @property
    def digest(self) -> str:
        """SHA-256 of the parameters' bytes (float32, little-endian)."""
        return sha256(np.ascontiguousarray(self.replica.theta, "<f4").data).hexdigest()

    def __reduce__(self) -> tuple[Any, ...]:
        return _state, (self.replica.theta, packed(self.replica.velocity), packed(self.outer))


@dataclass(frozen=True, order=True)
class Pace:
    """How fast a worker was. example_s: seconds an example. worker: its address, "" outside of a cluster."""

    example_s: float
    worker: str


@dataclass(frozen=True)
class RoundStats:
    """What was counted while the steps were taken; tallies add up.

    examples, correct: counts. loss: the sum of the examples' losses, in nats.
    spread: the sum of the examples times the squared distance that their replica travelled.
    seconds: time spent in steps, over all shards. ended: when the last of them was done, in seconds since 1970.
    quickest, slowest: the shards that took the least and the most time for an example.
    """

    examples: int
    loss: float
    correct: int
    spread: float
    seconds: float
    ended: float = 0.0
    quickest: Pace = Pace(0.0, "")
    slowest: Pace = Pace(0.0, "")


@dataclass(frozen=True, eq=False)
class ShardUpdate:
    """What one shard hands in after a round; equal to itself alone.

    start: where the round began, without its velocity; one shard of a round carries it.
    """

    replica: Replica
    tally: RoundStats
    start: TrainState | None

    def __reduce__(self) -> tuple[Any, ...]:
        return _contribution, (self.replica.theta, packed(self.replica.velocity), self.tally, self.start)


@dataclass(frozen=True, eq=False)
class PartialSum:
    """The weighted sums of some neighbouring shards, (parameters,) float64 each; equal to itself alone."""

    theta: NDArray[np.float64]
    velocity: NDArray[np.float64]
    tally: RoundStats
    start: TrainState | None

    def __reduce__(self) -> tuple[Any, ...]:
        return _partial, (self.theta, packed(self.velocity), self.tally, self.start)


def weighted_sum(parts: Sequence[ShardUpdate | PartialSum]) -> PartialSum:
    """The sum of neighbouring parts, left to right. A part without examples weighs nothing."""
    theta = _sum([(_vectors(part).theta, _weight(part)) for part in parts])
    velocities = [_vectors(part).velocity for part in parts]
    if any(velocity.any() for velocity in velocities):
        velocity = _sum([(velocity, _weight(part)) for velocity, part in zip(velocities, parts, strict=True)])
    else:
        velocity = np.zeros_like(theta)
    return PartialSum(theta, velocity, _total([part.tally for part in parts]), parts[0].start)


def apply_average(whole: PartialSum, averaging: AveragingConfig, *, solo: bool = False) -> TrainState:
    """The state after a round, from the sum over all of its shards.

    With the averaged displacement d = mean(theta_k) - theta, outer momentum m and outer rate r:

        outer <- m * outer + d
        theta <- theta + r * (d + m * outer)

    which for m = 0 and r = 1 is the plain average; a solo round, which has nothing to average, counts as that too.
    Nesterov momentum on the displacement is the outer optimiser of DiLoCo (Douillard et al., 2023), after SlowMo
    (Wang et al., 2020), whose authors also compare averaging the velocities of the steps with resetting them to zero
    (section 2). A solo round keeps its velocity.
    """
    if whole.start is None:
        raise AssertionError("the first shard carries the state that its round started from")
    mean = whole.theta / whole.tally.examples
    velocity = (whole.velocity / whole.tally.examples).astype(np.float32)
    if averaging.velocity == "reset" and not solo:
        velocity = np.zeros_like(velocity)
    rate, momentum = averaging.outer_lr, averaging.outer_momentum
    if solo or (rate == 1 and momentum == 0):
        return TrainState(Replica(mean.astype(np.float32), velocity), whole.start.outer)
    start = whole.start.replica.theta.astype(np.float64)
    displacement = mean - start
    outer = momentum * whole.start.outer.astype(np.float64) + displacement
    theta = start + rate * (displacement + momentum * outer)
    return TrainState(Replica(theta.astype(np.float32), velocity), outer.astype(np.float32))


class Divergence(NamedTuple):
    """How far the replicas came apart in a round.

    drift: their mean squared distance from their average, over the squared distance that the average travelled. 0 for
    one shard; about K - 1 where K shards walk in unrelated directions.
    dispersion: that mean squared distance, a step, over the squared length of the average. The noise of the steps makes
    the distance grow like a random walk's, in proportion to their number, so that this hardly depends on how many
    there were.
    """

    drift: float
    dispersion: float


def divergence(whole: PartialSum, steps: int) -> Divergence:
    """How far apart a round of so many steps brought the replicas that were summed."""
    if whole.start is None:
        raise AssertionError("the first shard carries the state that its round started from")
    mean = whole.theta / whole.tally.examples
    length = float(np.sum(mean * mean))
    moved = mean - whole.start.replica.theta
    travelled = float(np.sum(moved * moved))
    apart = max(whole.tally.spread / whole.tally.examples - travelled, 0.0)
    # Whole processes may decide by the dispersion: twelve digits, so that a last bit of a library's sum is no matter.
    return Divergence(
        drift=apart / travelled if travelled > 0 else 0.0,
        dispersion=float(f"{apart / (steps * length):.12g}") if length > 0 else 0.0,
    )


def without_velocity(state: TrainState) -> TrainState:
    """As much of a state as `join` needs of where a round began."""
    return TrainState(Replica(state.replica.theta, np.zeros_like(state.replica.velocity)), state.outer)


def _state(theta: Floats, velocity: Sent, outer: Sent) -> TrainState:
    return TrainState(Replica(theta, unpacked(velocity)), unpacked(outer))


def _contribution(theta: Floats, velocity: Sent, tally: RoundStats, start: TrainState | None) -> ShardUpdate:
    return ShardUpdate(Replica(theta, unpacked(velocity)), tally, start)


def _partial(theta: NDArray[np.float64], velocity: Sent, tally: RoundStats, start: TrainState | None) -> PartialSum:
    return PartialSum(theta, unpacked(velocity), tally, start)


def _vectors(part: ShardUpdate | PartialSum) -> Replica | PartialSum:
    return part.replica if isinstance(part, ShardUpdate) else part


def _weight(part: ShardUpdate | PartialSum) -> float:
    """What a part still has to be multiplied by; sums are weighed already."""
    return float(part.tally.examples) if isinstance(part, ShardUpdate) else 1.0


def _sum(weighed: Sequence[tuple[NDArray[Any], float]]) -> NDArray[np.float64]:
    """The sum of (vector, weight), left to right, rounded in float64 after each product and each addition."""
    (first, weight), *others = weighed
    total = np.multiply(first, weight, dtype=np.float64)
    product = np.empty_like(total)
    for vector, weight in others:
        total += np.multiply(vector, weight, out=product, dtype=np.float64)
    return total


def _total(tallies: Sequence[RoundStats]) -> RoundStats:
    return RoundStats(
        examples=sum(tally.examples for tally in tallies),
        loss=fsum(tally.loss for tally in tallies),
        correct=sum(tally.correct for tally in tallies),
        spread=fsum(tally.spread for tally in tallies),
        seconds=fsum(tally.seconds for tally in tallies),
        ended=max(tally.ended for tally in tallies),
        quickest=min(tally.quickest for tally in tallies),
        slowest=max(tally.slowest for tally in tallies),
    )
