"""From what the shards of a round come to, to the state after it. The arithmetic is that of `ops.averaging`."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import NamedTuple, TypeVar

import numpy as np

from ops.averaging import (
    FAN_IN,
    mean_velocity,
    squared_lengths,
    weighted_sum,
    weighted_velocity_sum,
    with_buffers,
)
from ops.engines.base import Replica
from service.rounds.shard_update import PartialSum, RoundStats, ShardUpdate
from service.rounds.strategies.base import Average, Strategy
from service.rounds.train_state import TrainState

Part = TypeVar("Part")

__all__ = [
    "FAN_IN",
    "Divergence",
    "apply_average",
    "divergence",
    "partial_sum",
    "start_of",
    "tree_of_sums",
    "tree_total",
]


def partial_sum(parts: Sequence[ShardUpdate | PartialSum]) -> PartialSum:
    """The sum of neighbouring parts, left to right: one node of the averaging tree, which takes `FAN_IN` at most."""
    weights = [_weight(part) for part in parts]
    theta = weighted_sum([_vectors(part).theta for part in parts], weights)
    velocity = weighted_velocity_sum([_vectors(part).velocity for part in parts], weights)
    return PartialSum(theta, velocity, RoundStats.total([part.stats for part in parts]), parts[0].start)


def tree_of_sums(parts: Sequence[ShardUpdate | PartialSum]) -> Sequence[ShardUpdate | PartialSum]:
    """The last level of the averaging tree over all shards of a round: at most `FAN_IN` parts."""
    return _last_level(parts, partial_sum)


def tree_total(stats: Iterable[RoundStats]) -> RoundStats:
    """The stats of all shards, added up in the shape of the averaging tree."""
    return RoundStats.total(_last_level(list(stats), RoundStats.total))


def apply_average(
    whole: PartialSum, strategy: Strategy, *, plain: bool = False, trained: int | None = None
) -> TrainState:
    """The state after a round.

    Args:
        whole: the sum over all shards of the round.
        strategy: what becomes of their average.
        plain: whether the mean goes on as it is, without the strategy. So does what one task came to alone.
        trained: how many parameters there are at the front of theta; None if all of it. Behind them are buffers, of
            which the strategy sees nothing: they become their average.
    """
    start, examples = start_of(whole), whole.stats.examples
    mean, velocity = whole.theta / examples, mean_velocity(whole.velocity, examples)
    if plain:
        return TrainState(Replica(mean.astype(np.float32), velocity), start.outer)
    if trained is None or trained == mean.size:
        return strategy.update(start, Average(mean, velocity))
    before = replace(start, replica=replace(start.replica, theta=start.replica.theta[:trained]))
    after = strategy.update(before, Average(mean[:trained], velocity))
    return replace(after, replica=replace(after.replica, theta=with_buffers(after.replica.theta, mean[trained:])))


class Divergence(NamedTuple):
    """How far the replicas came apart in a round.

    Attributes:
        drift: their mean squared distance from their average, over the squared distance that the average travelled.
            0 for one shard; about K - 1 where K shards walk in unrelated directions.
        dispersion: that mean squared distance, a step, over the squared length of the average. The noise of the steps
            makes the distance grow like a random walk's, in proportion to their number, so that the dispersion hardly
            depends on how many there were.
    """

    drift: float
    dispersion: float


def divergence(whole: PartialSum, steps: int, trained: int | None = None) -> Divergence:
    """How far apart a round of `steps` steps brought the replicas that were summed. trained: see `apply_average`."""
    start = start_of(whole).replica.theta[:trained]
    return divergence_of(whole.stats, *squared_lengths(whole.theta[:trained], whole.stats.examples, start), steps)


def divergence_of(stats: RoundStats, length: float, travelled: float, steps: int) -> Divergence:
    """The same, where the sums over the parameters are known.

    Args:
        stats: of all shards together.
        length: the squared length of their average.
        travelled: the squared distance that it travelled.
        steps: how many steps the round had.
    """
    apart = max(stats.spread / stats.examples - travelled, 0.0)
    # The next interval may depend on it: twelve digits, so that the last bit of a library's sum doesn't matter.
    return Divergence(
        drift=apart / travelled if travelled > 0 else 0.0,
        dispersion=float(f"{apart / (steps * length):.12g}") if length > 0 else 0.0,
    )


def start_of(whole: PartialSum) -> TrainState:
    """The state that the round began with whose shards were summed; its velocity is left out."""
    assert whole.start is not None, "shard 0 carries the state that its round began with"
    return whole.start


def _vectors(part: ShardUpdate | PartialSum) -> Replica | PartialSum:
    return part.replica if isinstance(part, ShardUpdate) else part


def _weight(part: ShardUpdate | PartialSum) -> float:
    """What a part still has to be multiplied by; sums are weighted already."""
    return float(part.stats.examples) if isinstance(part, ShardUpdate) else 1.0


def _last_level(parts: Sequence[Part], join: Callable[[Sequence[Part]], Part]) -> Sequence[Part]:
    """The last level of a tree of parts, each joined from `FAN_IN` neighbours: so many of them at most."""
    while len(parts) > FAN_IN:
        parts = [join(parts[low : low + FAN_IN]) for low in range(0, len(parts), FAN_IN)]
    return parts
