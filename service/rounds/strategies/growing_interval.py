"""An interval that grows over the run (Haddadpour et al., Local SGD with periodic averaging, 2019)."""

from dataclasses import dataclass

from ops.engines.base import AveragingRule, Floats
from service.config import AveragingConfig
from service.rounds.strategies.base import Average, Interval, Progress, Strategy, averaging_rule
from service.rounds.strategies.fedavg import FedAvg
from service.rounds.train_state import TrainState


@dataclass(frozen=True)
class GrowingInterval:
    """The interval moves from `first` to that of another strategy, by the same factor for every equal part of the run.

    After the share s of the steps, in [0, 1], with the other strategy's interval H:

        first * (H / first) ** s

    The paper lets the interval grow over the run and shows that fewer averages do. This is post-local SGD (Lin et al.,
    2020) with many stages instead of two. Where `first` is above H the interval shrinks, as AdaComm's does (Wang and
    Joshi, 2019).

    Attributes:
        first: steps before the first average.
        inner: the other strategy.
    """

    first: int
    inner: Strategy

    def init(self, theta: Floats) -> Floats:
        return self.inner.init(theta)

    def interval(self, progress: Progress) -> Interval:
        last = self.inner.interval(progress)
        steps = self.first * (last.steps / self.first) ** (progress.step / progress.steps)
        return last._replace(steps=max(1, round(steps)))

    @property
    def averaging_rule(self) -> AveragingRule | None:
        """See `service.rounds.strategies.base.averaging_rule`."""
        return averaging_rule(self.inner)

    def update(self, start: TrainState, average: Average) -> TrainState:
        return self.inner.update(start, average)


def from_config(config: AveragingConfig) -> Strategy:
    """`--strategy growing-interval` reads --average-every and --first-average-every (0 stands for 1)."""
    return GrowingInterval(config.first_average_every or 1, FedAvg(config.average_every))
