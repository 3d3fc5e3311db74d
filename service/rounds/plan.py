"""Which examples, in which order, each shard takes in each round: pure functions of the configuration, and of what was
measured in earlier rounds where the strategy's interval follows that.

An epoch is one shuffle of all examples (of a large data set by windows, see `windows`), cut into steps of
`batch_size`. Every step's batch is split over the
shards in order, so that averaging after every step is the same as one process taking the whole batch. A round is
a run of steps within one epoch that the shards take on their own.

    epoch   | step 0          | step 1          | step 2          | …
    shard 0 | aaaa            | aaaa            | aaaa            |
    shard 1 |     bbbb        |     bbbb        |     bbbb        |
    shard 2 |         cccc    |         cccc    |         cccc    |
            '--------------- one round ---------'
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ops.random import generator
from service.config import TrainConfig
from service.data import DatasetInfo
from service.errors import InvalidInput
from service.rounds.strategies import Progress, Strategy, strategy_for
from service.rounds.windows import Chunks, WindowedShuffle, regular_chunks, shares, window_edges

ROUNDS_AHEAD = 4
"""How many rounds are submitted ahead. An interval may depend on what was measured in a round so many before."""


WINDOWED_FROM = 1 << 30
"""Bytes of training images from which on a chunked data set is shuffled by windows, unless the configuration says how.
It decides the bits of runs on such data."""


@dataclass(frozen=True)
class Round:
    """Steps `first` to `last - 1` of an epoch, taken by `shards` shards side by side.

    Attributes:
        number: the round's place in the run, from 0.
        epoch: the epoch, from 0.
        first: its first step within the epoch.
        last: the step after its last.
        shards: how many shards take it.
        solo: whether one task takes the whole batches alone, before the shards part ways.
        solo_steps: how many of the run's steps before it were taken alone. It follows from the rounds before it; the
            log doesn't have it.
    """

    number: int
    epoch: int
    first: int
    last: int
    shards: int
    solo: bool = False
    solo_steps: int = field(default=0, compare=False)


class Measured(NamedTuple):
    """What was measured in a round that a later interval may depend on.

    Attributes:
        loss: the mean train loss of its examples, each before the step that used it.
        dispersion: see `service.rounds.averaging.Divergence`; None where the round was taken alone.
    """

    loss: float | None = None
    dispersion: float | None = None


NOTHING = Measured()
"""Where nothing was measured yet."""


@dataclass(frozen=True)
class Windows:
    """How a data set is shuffled by windows; see `service.rounds.windows`.

    Attributes:
        chunk: examples a chunk, of those that are held out too.
        steps: steps a window, at most.
    """

    chunk: int
    steps: int


@dataclass(frozen=True)
class Plan:
    """What the rounds of a run follow from, as a value. Build one with `plan_for`.

    Attributes:
        examples: how many an epoch has.
        epochs: how many there are, with those of another run that this one extends.
        batch_size: examples of a step, over all shards.
        seed: decides the order of the examples.
        shards: how many shards there are while they are apart.
        strategy: how long the rounds are.
        first_epoch: the one that the run begins with; those before it are another run's.
        windows: how the examples are shuffled by windows; None where all are shuffled together.
    """

    examples: int
    epochs: int
    batch_size: int
    seed: int
    shards: int
    strategy: Strategy
    first_epoch: int = 0
    windows: Windows | None = None

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
        return self._round(0, self.first_epoch, 0)

    def round_after(self, done: Round, measured: Measured = NOTHING) -> Round | None:
        """The round that follows, or None where the run ends.

        Args:
            done: the round before it.
            measured: in the round `ROUNDS_AHEAD` before it.
        """
        epoch, first = done.epoch, done.last
        if first == self.steps_per_epoch:
            epoch, first = epoch + 1, 0
        solo_steps = done.solo_steps + (done.last - done.first if done.solo else 0)
        return None if epoch == self.epochs else self._round(done.number + 1, epoch, first, measured, solo_steps)

    def rounds(self) -> Iterator[Round]:
        """Every round of the run, in order, as if nothing were measured on the way."""
        next_round: Round | None = self.first_round()
        while next_round is not None:
            yield next_round
            next_round = self.round_after(next_round)

    def ends_epoch(self, round_: Round) -> bool:
        """Whether a round is the last one of its epoch."""
        return round_.last == self.steps_per_epoch

    def is_solo(self, epoch: int, step: int) -> bool:
        """Whether one task takes a step of an epoch alone."""
        return self.strategy.interval(self._progress(epoch, step)).solo

    def is_last(self, round_: Round) -> bool:
        """Whether a round is the last one of the run."""
        return self.ends_epoch(round_) and round_.epoch == self.epochs - 1

    def share_after(self, epoch: int, step: int) -> float:
        """Which part of the run's steps is done after so many of an epoch, in [0, 1]."""
        epochs = epoch - self.first_epoch + step / self.steps_per_epoch
        return epochs / (self.epochs - self.first_epoch)

    def examples_after(self, done: Round) -> int:
        """How many examples the run has used when a round is done."""
        return (done.epoch - self.first_epoch) * self.examples + min(done.last * self.batch_size, self.examples)

    def is_within_window(self, round_: Round, following: Round) -> bool:
        """Whether the round after another takes no examples but of the window that the other one ends in."""
        if self.windows is None or following.epoch != round_.epoch:
            return False
        inner = window_edges(self.steps_per_epoch, self.windows.steps)[1:-1]
        return not ((inner >= round_.last) & (inner < following.last)).any()

    def batches(
        self, round_: Round, shard: int, chunks: Chunks | None = None
    ) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        """Which examples a shard takes, and where each of its steps begins.

        Args:
            round_: the round.
            shard: which of its shards.
            chunks: where chunks begin among the examples that are trained on, where some are held out of a training
                that is shuffled by windows.

        Returns:
            examples (total,) int32, counted among those that are trained on (`service.rounds.split`), and offsets
            (steps + 1,) int32. A step may be empty where the batch has fewer examples than there are shards.
        """
        steps = range(round_.first, round_.last)
        lows, counts = shares(steps, self.batch_size, self.examples, shard, round_.shards)
        offsets = np.concatenate(([0], np.cumsum(counts))).astype(np.int32)
        order, base = self._order(round_, chunks)
        pieces = [order[low : low + count] for low, count in zip(lows - base, counts, strict=True)]
        return np.concatenate(pieces), offsets

    def _order(self, round_: Round, chunks: Chunks | None) -> tuple[NDArray[np.int32], int]:
        """The order of an epoch's examples, or as much of it as a round needs, and the place where that begins."""
        if self.windows is None:
            return shuffle(self.seed, round_.epoch, self.examples), 0
        chunks = chunks or regular_chunks(self.examples, self.windows.chunk)
        windowed = WindowedShuffle(self.seed, chunks, self.batch_size, self.shards, self.windows.steps)
        return windowed.order(round_.epoch, round_.first, round_.last), round_.first * self.batch_size

    def _progress(self, epoch: int, step: int, measured: Measured = NOTHING, solo_steps: int = 0) -> Progress:
        done = epoch * self.steps_per_epoch + step
        return Progress(done, self.steps, measured.dispersion, self.examples, measured.loss, solo_steps)

    def _round(self, number: int, epoch: int, first: int, measured: Measured = NOTHING, solo_steps: int = 0) -> Round:
        steps, solo = self.strategy.interval(self._progress(epoch, first, measured, solo_steps))
        if steps < 1:
            raise InvalidInput(f"an interval must be at least 1 step, got {steps} from {self.strategy}")
        last = min(first + steps, self.steps_per_epoch)
        return Round(number, epoch, first, last, 1 if solo else self.shards, solo, solo_steps)


def windows_for(config: TrainConfig, data: DatasetInfo) -> Windows | None:
    """The windows that a training on some data is shuffled by; None where all examples are shuffled together."""
    is_large = data.is_chunked and data.train * data.image_bytes > WINDOWED_FROM
    if config.shuffle == "full" or (config.shuffle == "auto" and not is_large):
        return None
    steps = config.window * 1_000_000 // (data.image_bytes * config.batch_size)
    return Windows(data.chunk_size, max(1, steps))


def plan_for(config: TrainConfig, examples: int, windows: Windows | None = None) -> Plan:
    """The plan of a training on so many examples, less the `holdout` that are kept out.

    windows: how they are shuffled by windows, which decides nothing but their order.

    Raises InvalidInput where nothing would be left, or less than one example for each shard, or where the strategy is
    not known.
    """
    averaging = config.averaging
    if config.holdout >= examples:
        raise InvalidInput(f"holdout must be less than the number of examples, {examples}, got {config.holdout}")
    if config.chooses_by_validation and not config.holdout:
        raise InvalidInput(
            f"holdout must be at least 1, got 0: {'keep best' if config.keep == 'best' else 'patience'} compares "
            "epochs on training examples that are held out"
        )
    if config.first_epoch >= config.epochs:
        raise InvalidInput(f"first_epoch must be less than epochs, {config.epochs}, got {config.first_epoch}")
    examples -= config.holdout
    if averaging.shards > examples:
        raise InvalidInput(f"shards must be at most the number of examples, {examples}, got {averaging.shards}")
    return Plan(
        examples=examples,
        epochs=config.epochs,
        batch_size=config.batch_size,
        seed=config.seed,
        shards=averaging.shards,
        strategy=strategy_for(averaging),
        first_epoch=config.first_epoch,
        windows=windows,
    )


@lru_cache(maxsize=16)
def shuffle(seed: int, epoch: int, examples: int) -> NDArray[np.int32]:
    """The order in which an epoch visits the examples: (examples,) int32, read-only."""
    order = generator(seed, "order", epoch).permutation(examples).astype(np.int32)
    order.flags.writeable = False
    return order
