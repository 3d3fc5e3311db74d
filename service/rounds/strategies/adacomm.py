"""AdaComm: an interval that follows how fast the replicas disperse (Wang and Joshi, Adaptive communication strategies,
2019).
"""

from dataclasses import dataclass
from math import sqrt

from ops.engines.base import Floats
from service.config import AveragingConfig
from service.rounds.strategies.base import Average, Interval, Progress, Strategy
from service.rounds.strategies.fedavg import FedAvg
from service.rounds.train_state import TrainState

MAX_FACTOR = 4
"""By what factor the interval may be longer or shorter than that of the other strategy, at most."""

TARGET = 3e-6
"""The dispersion that `--strategy adacomm` takes for the usual one where none is given; see docs/averaging.md."""


@dataclass(frozen=True)
class AdaComm:
    """The interval of another strategy, which is right for a certain dispersion, adapted to the one that is measured.

    An average costs the time of c steps, c / H for each step. The squared distance of the replicas from each other
    grows with H, and with it the harm: at a dispersion of s a step, s * H. The sum of both is least at an H that goes
    with 1 / sqrt(s), the law of section 4 of the paper. So, where the interval H_0 is right for the dispersion s_0:

        H = H_0 * sqrt(s_0 / s)

    Attributes:
        target: the dispersion s_0, a step.
        inner: the strategy whose interval is H_0.
    """

    target: float
    inner: Strategy

    def init(self, theta: Floats) -> Floats:
        return self.inner.init(theta)

    def interval(self, progress: Progress) -> Interval:
        usual = self.inner.interval(progress)
        if progress.dispersion is None:
            return usual
        factor = sqrt(self.target / progress.dispersion) if progress.dispersion > 0 else MAX_FACTOR
        factor = min(max(factor, 1 / MAX_FACTOR), MAX_FACTOR)
        return usual._replace(steps=max(1, round(usual.steps * factor)))

    def update(self, start: TrainState, average: Average) -> TrainState:
        return self.inner.update(start, average)


def from_config(config: AveragingConfig) -> Strategy:
    """`--strategy adacomm` reads --average-every and --target-dispersion (0 stands for 3e-6)."""
    return AdaComm(config.target_dispersion or TARGET, FedAvg(config.average_every))
