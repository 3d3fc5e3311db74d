"""How replicas become one again: weighted by examples, in float64, in the order of the shards.

The sums are taken left to right, in groups of `FAN_IN` where there are more shards than that, so that the shape of the
sum, and with it every rounding, depends on the number of shards alone. This is the reference: an engine that averages
on a device is held to its bits.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ops.engines.base import AveragingRule, Floats, Replica
from ops.pieces import pieces, sum_of, zeros_as

Doubles = NDArray[np.float64]

Add = Callable[[Sequence[NDArray[Any]], Sequence[float]], Doubles]

FAN_IN = 8
"""How many vectors one sum takes."""


class Average(NamedTuple):
    """The state after a round, and how far it is from where the round started.

    Attributes:
        replica: what every shard of the next round starts from.
        outer: (parameters,) float32, the outer optimizer's velocity.
        length: the squared length of the shards' average, before the outer optimizer; of parameters, not of buffers.
        travelled: the squared distance of that average from the start, likewise.
    """

    replica: Replica
    outer: Floats
    length: float
    travelled: float


def average(
    replicas: Sequence[Replica],
    examples: Sequence[int],
    start: Floats,
    outer: Floats,
    rule: AveragingRule,
    trained: int | None = None,
) -> Average:
    """Average the replicas of a round, each weighted by its examples, and take the step of the outer optimizer.

    Args:
        replicas: one for each shard, in order.
        examples: how many each shard used; the sum of them is above 0.
        start: (size,) float32, what the shards started from.
        outer: (parameters,) float32, the outer optimizer's velocity.
        rule: what else becomes of them.
        trained: how many parameters there are at the front of theta; None if all of it. Behind them are buffers, of
            which the plain average is taken.
    """
    total, weights = sum(examples), list(map(float, examples))
    theta_sum = tree_sum([replica.theta for replica in replicas], weights)
    velocity_sum = tree_sum([replica.velocity for replica in replicas], weights, add=weighted_velocity_sum)
    trained = start.size if trained is None else trained
    replica, outer_after = outer_update(theta_sum[:trained], velocity_sum, total, start[:trained], outer, rule)
    length, travelled = squared_lengths(theta_sum[:trained], total, start[:trained])
    if trained < start.size:
        replica = Replica(with_buffers(replica.theta, theta_sum[trained:] / total), replica.velocity)
    return Average(replica, outer_after, length, travelled)


def with_buffers(parameters: Floats, buffers: Doubles) -> Floats:
    """The vector theta of averaged parameters and averaged buffers."""
    return np.concatenate([parameters, buffers.astype(np.float32)])


def tree_sum(vectors: Sequence[NDArray[Any]], weights: Sequence[float], *, add: Add | None = None) -> Doubles:
    """The weighted sum of any number of vectors: sums of `FAN_IN` neighbours, then sums of these, and so on.

    add: how one sum is taken, `weighted_sum` by default.
    """
    add = add or weighted_sum
    groups, factors = list(vectors), list(weights)
    while len(groups) > FAN_IN:
        firsts = range(0, len(groups), FAN_IN)
        groups = [add(groups[at : at + FAN_IN], factors[at : at + FAN_IN]) for at in firsts]
        factors = [1.0] * len(groups)
    return add(groups, factors)


def weighted_sum(vectors: Sequence[NDArray[Any]], weights: Sequence[float]) -> Doubles:
    """The weighted sum of some vectors, left to right, rounded in float64 after each product and each addition."""
    total = np.empty(vectors[0].shape)
    for piece in pieces(total.size):
        of_piece = np.multiply(vectors[0][piece], weights[0], out=total[piece], dtype=np.float64)
        product = np.empty_like(of_piece)
        for vector, weight in zip(vectors[1:], weights[1:], strict=True):
            of_piece += np.multiply(vector[piece], weight, out=product, dtype=np.float64)
    return total


def weighted_velocity_sum(vectors: Sequence[NDArray[Any]], weights: Sequence[float]) -> Doubles:
    """The same, for velocities: those that are zero throughout, as they are without momentum, need no arithmetic."""
    if any(vector.any() for vector in vectors):
        return weighted_sum(vectors, weights)
    return np.zeros(vectors[0].shape)


def mean_velocity(velocity_sum: Doubles, examples: int) -> Floats:
    """The average of velocities in float32, from their weighted sum; zeros throughout need no arithmetic."""
    mean = np.zeros(velocity_sum.shape, np.float32)
    if not velocity_sum.view(np.uint64).any():
        return mean
    for piece in pieces(mean.size):
        mean[piece] = velocity_sum[piece] / examples
    return mean


def outer_update(
    theta_sum: Doubles, velocity_sum: Doubles, examples: int, start: Floats, outer: Floats, rule: AveragingRule
) -> tuple[Replica, Floats]:
    """The replica after a round and the outer optimizer's velocity, from the sums over all shards.

    `nesterov_outer_step` says what the outer optimizer does; without one the result is the plain average. Wang et al.
    (SlowMo, 2020, section 2) compare averaging the velocities of the steps with resetting them to zero.
    """
    mean = theta_sum / examples
    velocity = mean_velocity(velocity_sum, examples)
    if rule.reset_velocity:
        velocity = zeros_as(velocity)
    if rule.plain:
        return Replica(mean.astype(np.float32), velocity), outer
    theta, outer = nesterov_outer_step(mean, start, outer, lr=rule.outer_lr, momentum=rule.outer_momentum)
    return Replica(theta, velocity), outer


def nesterov_outer_step(
    mean: Doubles, start: Floats, outer: Floats, *, lr: float, momentum: float
) -> tuple[Floats, Floats]:
    """The parameters and the outer velocity after one step of Nesterov momentum on the averaged displacement.

    With the displacement d = mean(theta_k) - theta, momentum m and rate r:

        outer <- m * outer + d
        theta <- theta + r * (d + m * outer)

    This is the outer optimizer of DiLoCo (Douillard et al., 2023). For m = 0 and r = 1 it is the plain average, but for
    rounding.

    Args:
        mean: (parameters,) float64, the average of the shards' parameters.
        start: (parameters,) float32, what the shards started from.
        outer: (parameters,) float32, the outer velocity before.
        lr: the rate r.
        momentum: the momentum m.
    """
    theta, outer_after = np.empty(start.shape, np.float32), np.empty(start.shape, np.float32)
    for piece in pieces(start.size):
        origin = start[piece].astype(np.float64)
        displacement = mean[piece] - origin
        moved = momentum * outer[piece].astype(np.float64) + displacement
        theta[piece] = origin + lr * (displacement + momentum * moved)
        outer_after[piece] = moved
    return theta, outer_after


def squared_distance(theta: Floats, start: Floats) -> float:
    """The squared distance between two parameter vectors, in float64."""

    def squares(piece: slice) -> Doubles:
        moved = theta[piece].astype(np.float64) - start[piece]
        return np.multiply(moved, moved, out=moved)

    return sum_of(theta.size, squares)


def squared_lengths(theta_sum: Doubles, examples: int, start: Floats) -> tuple[float, float]:
    """The squared length of an average, and its squared distance from the start.

    Args:
        theta_sum: (parameters,), the weighted sum that becomes the average.
        examples: what it is divided by.
        start: (parameters,) float32.
    """

    def squares(piece: slice) -> Doubles:
        mean: Doubles = theta_sum[piece] / examples
        return np.multiply(mean, mean, out=mean)

    def squares_of_distance(piece: slice) -> Doubles:
        moved: Doubles = theta_sum[piece] / examples - start[piece]
        return np.multiply(moved, moved, out=moved)

    return sum_of(theta_sum.size, squares), sum_of(theta_sum.size, squares_of_distance)
