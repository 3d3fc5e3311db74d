"""How the learning rate moves over a training: pure functions of the step's number and the number of steps.

A schedule is called as `schedule(step, total)` with 0 <= step < total; `rates` makes the array that
`ops.engines.base.Steps` takes.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import cos, isfinite, pi
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from ops.errors import OpsError

Schedule = Callable[[int, int], float]


@dataclass(frozen=True)
class Constant:
    """The same rate throughout."""

    rate: float

    def __post_init__(self) -> None:
        _check_positive("rate", self.rate)

    def __call__(self, step: int, total: int) -> float:
        return self.rate


@dataclass(frozen=True)
class Step:
    """The rate is multiplied by `factor` after every `every` steps."""

    rate: float
    every: int
    factor: float = 0.1

    def __post_init__(self) -> None:
        _check_positive("rate", self.rate)
        _check_positive("every", self.every)
        _check_positive("factor", self.factor)

    def __call__(self, step: int, total: int) -> float:
        return self.rate * self.factor ** (step // self.every)


@dataclass(frozen=True)
class Cosine:
    """Half a cosine from `rate` to `final`, which the step after the last would reach.

    Loshchilov and Hutter, SGDR: stochastic gradient descent with warm restarts, 2017.
    """

    rate: float
    final: float = 0.0

    def __post_init__(self) -> None:
        _check_positive("rate", self.rate)

    def __call__(self, step: int, total: int) -> float:
        return _half_cosine(self.rate, self.final, step / total)


@dataclass(frozen=True)
class OneCycle:
    """Up from `peak / start` for the first `rise` of the steps, then down to `peak / start / end` at the last.

    Both ways along half a cosine. Smith and Topin, Super-convergence, 2018; the defaults are PyTorch's.
    """

    peak: float
    rise: float = 0.3
    start: float = 25.0
    end: float = 1e4

    def __post_init__(self) -> None:
        for name in ("peak", "start", "end"):
            _check_positive(name, getattr(self, name))
        if not 0 <= self.rise <= 1:
            raise OpsError(f"rise must be in [0, 1], got {self.rise!r}")

    def __call__(self, step: int, total: int) -> float:
        low = self.peak / self.start
        top = self.rise * total - 1
        if step < top:
            return _half_cosine(low, self.peak, step / top)
        return _half_cosine(self.peak, low / self.end, (step - top) / max(total - 1 - top, 1))


@dataclass(frozen=True)
class WarmUp:
    """Another schedule whose first `steps` rates are scaled up linearly: by 1/steps, 2/steps, ..., 1."""

    schedule: Schedule
    steps: int

    def __post_init__(self) -> None:
        if self.steps < 0:
            raise OpsError(f"steps must be >= 0, got {self.steps!r}")

    def __call__(self, step: int, total: int) -> float:
        rate = self.schedule(step, total)
        return rate * (step + 1) / self.steps if step < self.steps else rate


SCHEDULES: MappingProxyType[str, Callable[[float], Schedule]] = MappingProxyType(
    {"constant": Constant, "cosine": Cosine, "one-cycle": OneCycle}
)
"""The schedules that one number is enough for, the highest rate, by name."""


def rates(schedule: Schedule, total: int) -> NDArray[np.float32]:
    """The rate of each step: (total,) float32."""
    return np.array([schedule(step, total) for step in range(total)], np.float32)


def _half_cosine(first: float, last: float, share: float) -> float:
    """`first` at share 0, `last` at share 1, level at both ends."""
    return last + (first - last) * (1 + cos(pi * share)) / 2


def _check_positive(name: str, value: float) -> None:
    if not isfinite(value) or value <= 0:
        raise OpsError(f"{name} must be a finite number > 0, got {value!r}")
