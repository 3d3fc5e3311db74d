"""Post-local SGD: an average after every step at first, and seldom later (Lin et al., Don't use large mini-batches, use
local SGD, 2020).
"""

from dataclasses import dataclass

from ops.engines.base import AveragingRule, Floats
from service.config import AveragingConfig
from service.rounds.strategies.base import Average, Interval, Progress, Strategy, averaging_rule
from service.rounds.strategies.fedavg import FedAvg
from service.rounds.train_state import TrainState

SMALL = 30_000
"""A data set of fewer examples is small: half of Fashion-MNIST, from which the share of the start comes."""

LOSS_EVERY = 16
"""Steps of a round of a start that ends by the loss, at most: its end is decided on by the loss of four rounds ago."""


@dataclass(frozen=True)
class PostLocalSGD:
    """The first steps are those of one process with the whole batch; then another strategy begins.

    Section 3 of the paper, where t' is the first step after the start, and H_t the interval of step t:

        H_t = 1 for t < t', H of the other strategy afterwards

    Averaging after every step equals one process that takes whole batches. So one task takes these steps alone, in
    rounds of `every`, and nothing is averaged. The other strategy sees the steps after the start as a run of their own.

    A share of few steps is over before the network has left its first plateau, where the noise of the shards' small
    batches would keep it. So on a small data set the start lasts a number of steps at least, if there is one at all.

    How long a plateau lasts depends on the first weights, too. A start that ends by the loss lasts as long as it does:
    until the loss of a round was below a number, and no longer than it would have lasted otherwise. Then the shards
    stay apart, whatever the loss.

    Attributes:
        share: the start's share of the run's steps, in [0, 1].
        every: steps of a round during the start. It decides how often progress is reported, and no result.
        inner: the strategy that follows.
        least: how many steps the start has at least, on fewer than `SMALL` examples.
        loss: the train loss that ends the start, in nats; 0 where the share alone ends it.
    """

    share: float
    every: int
    inner: Strategy
    least: int = 0
    loss: float = 0.0

    def init(self, theta: Floats) -> Floats:
        return self.inner.init(theta)

    def interval(self, progress: Progress) -> Interval:
        start = round(self.share * progress.steps)
        if self.share and 0 < progress.examples < SMALL:
            start = min(max(start, self.least), progress.steps)
        every = self.every
        if self.loss:
            every = min(every, LOSS_EVERY)
            has_left = progress.loss is not None and progress.loss < self.loss
            if has_left or progress.solo_steps < progress.step:
                start = progress.solo_steps
        if progress.step < start:
            return Interval(min(every, start - progress.step), solo=True)
        own = progress._replace(step=progress.step - start, steps=progress.steps - start, solo_steps=0)
        return self.inner.interval(own)

    @property
    def averaging_rule(self) -> AveragingRule | None:
        """See `service.rounds.strategies.base.averaging_rule`."""
        return averaging_rule(self.inner)

    def update(self, start: TrainState, average: Average) -> TrainState:
        return self.inner.update(start, average)


def from_config(config: AveragingConfig) -> Strategy:
    """`--strategy post-local-sgd` reads --average-every, --solo-share, --solo-steps and --solo-loss."""
    inner = FedAvg(config.average_every)
    return PostLocalSGD(config.solo_share, config.average_every, inner, config.solo_steps, config.solo_loss)
