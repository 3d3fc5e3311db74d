"""Which examples, in which order, each shard takes in each round: pure functions of the configuration, and of the
dispersion where H follows it.

An epoch is one shuffle of all examples, cut into steps of `batch_size`. Every step's batch is split over the
shards in order, so that averaging after every step is the same as one process taking the whole batch. A round is
a run of steps within one epoch that the shards take on their own.

    epoch   | step 0          | step 1          | step 2          | …
    shard 0 | aaaa            | aaaa            | aaaa            |
    shard 1 |     bbbb        |     bbbb        |     bbbb        |
    shard 2 |         cccc    |         cccc    |         cccc    |
            '--------------- one round ---------'
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from ops.random import generator
from service.config import TrainConfig
from service.errors import InvalidInput
from service.rounds.interval import following, geometric

LAG = 4
"""From how many rounds before an H that follows the dispersion takes it: so many rounds are submitted ahead."""


@dataclass(frozen=True)
class Round:
    """Steps `first` to `last - 1` of an epoch, taken by `shards` shards side by side.

    number: the round's place in the run, from 0. solo: one task takes whole batches, before the shards part ways.
    """

    number: int
    epoch: int
    first: int
    last: int
    shards: int
    solo: bool = False


@dataclass(frozen=True)
class Plan:
    """What the rounds of a run follow from, as a value. Build one with `plan_for`."""

    examples: int
    epochs: int
    batch_size: int
    seed: int
    shards: int
    average_every: int
    solo_steps: int
    first_average_every: int = 0
    target_dispersion: float = 0.0

    @property
    def steps_per_epoch(self) -> int:
        """Steps that see every example once; the last may be smaller."""
        return -(-self.examples // self.batch_size)

    @property
    def steps(self) -> int:
        """Steps of the whole run."""
        return self.epochs * self.steps_per_epoch

    def first_round(self) -> Round:
        """The round that a run begins with."""
        return self._round(0, 0, 0)

    def round_after(self, done: Round, dispersion: float | None = None) -> Round | None:
        """The round that follows, or None where the run ends.

        dispersion: of the round `LAG` before it, where the shards were apart; only a plan with a target looks at it.
        """
        epoch, first = done.epoch, done.last
        if first == self.steps_per_epoch:
            epoch, first = epoch + 1, 0
        return None if epoch == self.epochs else self._round(done.number + 1, epoch, first, dispersion)

    def rounds(self) -> Iterator[Round]:
        """Every round of the run, in order, as far as H doesn't depend on what is measured on the way."""
        following: Round | None = self.first_round()
        while following is not None:
            yield following
            following = self.round_after(following)

    def share_after(self, epoch: int, step: int) -> float:
        """Which part of the run's steps is done after so many of an epoch, in [0, 1]."""
        return (epoch + step / self.steps_per_epoch) / self.epochs

    def examples_after(self, done: Round) -> int:
        """How many examples the run has used when a round is done."""
        return done.epoch * self.examples + min(done.last * self.batch_size, self.examples)

    def batches(self, round_: Round, shard: int) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        """`(examples, offsets)`: the numbers of the examples that a shard takes, and where each of its steps begins.

        examples: (total,) int32; offsets: (steps + 1,) int32. A step may be empty where the batch has fewer
        examples than there are shards.
        """
        order = shuffle(self.seed, round_.epoch, self.examples)
        starts = np.arange(round_.first, round_.last) * self.batch_size
        sizes = np.minimum(starts + self.batch_size, self.examples) - starts
        lows = starts + sizes * shard // round_.shards
        highs = starts + sizes * (shard + 1) // round_.shards
        offsets = np.concatenate(([0], np.cumsum(highs - lows))).astype(np.int32)
        pieces = [order[low:high] for low, high in zip(lows, highs, strict=True)]
        return np.concatenate(pieces), offsets

    def _round(self, number: int, epoch: int, first: int, dispersion: float | None = None) -> Round:
        alone = self.solo_steps - (epoch * self.steps_per_epoch + first)
        every = self._period(-alone)
        if self.target_dispersion and dispersion is not None:
            every = following(every, dispersion, self.target_dispersion)
        steps = min(every, self.steps_per_epoch - first)
        if alone > 0:
            return Round(number, epoch, first, first + min(steps, alone), 1, solo=True)
        return Round(number, epoch, first, first + steps, self.shards)

    def _period(self, together: int) -> int:
        """H of the round that begins so many steps after the shards parted ways."""
        if not self.first_average_every or together < 0:
            return self.average_every
        return geometric(self.first_average_every, self.average_every, together / (self.steps - self.solo_steps))


def plan_for(config: TrainConfig, examples: int) -> Plan:
    """The plan of a training on the first of so many examples: all but the `holdout` last ones.

    Raises InvalidInput where nothing would be left, or less than one example for each shard.
    """
    averaging = config.averaging
    if config.holdout >= examples:
        raise InvalidInput(f"holdout must be less than the number of examples, {examples}, got {config.holdout}")
    examples -= config.holdout
    if averaging.shards > examples:
        raise InvalidInput(f"shards must be at most the number of examples, {examples}, got {averaging.shards}")
    steps = config.epochs * -(-examples // config.batch_size)
    return Plan(
        examples=examples,
        epochs=config.epochs,
        batch_size=config.batch_size,
        seed=config.seed,
        shards=averaging.shards,
        average_every=averaging.average_every,
        solo_steps=round(averaging.solo_share * steps),
        first_average_every=averaging.first_average_every,
        target_dispersion=averaging.target_dispersion,
    )


@lru_cache(maxsize=16)
def shuffle(seed: int, epoch: int, examples: int) -> NDArray[np.int32]:
    """The order in which an epoch visits the examples: (examples,) int32, read-only."""
    order = generator(seed, "order", epoch).permutation(examples).astype(np.int32)
    order.flags.writeable = False
    return order
