"""What a sweep tries: the plan of its trials, a pure function of a few settings."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from math import exp, log
from typing import Annotated, Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, JsonValue

from service.config import TrainConfig, from_preset, overlaid
from service.errors import InvalidInput
from service.rounds.strategies.registry import unread_options
from service.search.sweep.brackets import Bracket, halving_bracket, hyperband_brackets, hyperband_trials
from service.search.sweep.halving import rungs

MOST_TRIALS = 10_000
"""A sweep with more trials than this is taken for a slip of the hand."""


SweepName = Annotated[str, Field(pattern=r"^$|^[a-z0-9]([a-z0-9-]{0,46}[a-z0-9])?$")]
"""What a sweep may be called."""

Parallel = Annotated[int, Field(ge=1, le=64)]
"""How many trials may share a cluster at a time."""


class Range(BaseModel):
    """Numbers to draw from, evenly between two bounds or, with `log`, evenly in their logarithm.

    Between two whole numbers, whole numbers are drawn.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    low: int | float
    high: int | float
    log: bool = False


class Sweep(BaseModel):
    """Trainings to compare: every combination of some values, or so many random draws from them.

    base: what all of them share, nested as `TrainConfig` is; what it leaves open is the preset of the network.
    over: for each field, written `optimizer.lr`, the values to try; a group of fields (`averaging`) takes objects.
    trials: 0 tries every combination; otherwise so many draws, each field on its own. seed: decides the draws.
    halving: one of so many trials goes on from each rung to the next, which is so many times as long; 0 trains all of
    them to the end. min_epochs: how many epochs every trial gets then. hyperband: several such brackets, of fewer
    trials that get more epochs each; always with random draws, of which `trials` 0 takes as many as the paper says.
    asynchronous: a trial goes on as soon as it is among the best so far, before the others of its rung are measured.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    base: dict[str, JsonValue] = Field(default_factory=dict)
    over: dict[str, list[JsonValue] | Range] = Field(min_length=1)
    trials: int = Field(0, ge=0, le=MOST_TRIALS)
    seed: int = Field(0, ge=0, le=2**63 - 1)
    halving: int = Field(0, ge=0, le=100)
    min_epochs: int = Field(1, ge=1, le=10_000)
    hyperband: bool = False
    asynchronous: bool = False

    def plan(self) -> list["Trial"]:
        """All trials, in order. Raises InvalidInput, in one line, for one that can't be."""
        self._check_factor()
        trials = [
            Trial(number, changes, self._config(changes))
            for number, changes in enumerate(self._drawn() if self.trials or self.hyperband else self._grid())
        ]
        self._check_effects(trials)
        if self.halving:
            self._check_halving([trial.config for trial in trials])
        return trials

    def brackets(self) -> list[Bracket]:
        """Which trials are compared with each other, and when. Raises InvalidInput as `plan` does.

        Without halving it is one bracket whose trials are compared at their end.
        """
        trials = self.plan()
        if not self.halving:
            return [Bracket(tuple(range(len(trials))), (trials[0].config.epochs,))]
        make = hyperband_brackets if self.hyperband else halving_bracket
        return make(len(trials), trials[0].config.epochs, self.min_epochs, self.halving)

    def _check_factor(self) -> None:
        if self.halving == 1:
            raise InvalidInput("halving must be at least 2, or 0 to train all trials to the end, got 1")
        for name in ("hyperband", "asynchronous"):
            if getattr(self, name) and not self.halving:
                raise InvalidInput(f"{name} needs halving, the factor by which each rung is cut, such as 3")

    def _check_effects(self, trials: list["Trial"]) -> None:
        """Raise InvalidInput for an option of averaging that no trial's strategy reads."""
        given = self.base.get("averaging")
        names = set(given) if isinstance(given, dict) else set()
        names |= {name.partition(".")[2] for name in self.over if name.startswith("averaging.")}
        for name in sorted(names):
            if trials and all(unread_options(trial.config.averaging, [name]) for trial in trials):
                strategy = trials[0].config.averaging.strategy
                raise InvalidInput(f"averaging.{name} has no effect, since strategy {strategy} doesn't read it")

    def _check_halving(self, configs: list[TrainConfig]) -> None:
        if len({config.epochs for config in configs}) > 1:
            raise InvalidInput("epochs must be the same in all trials with halving: the rungs are made of them")
        if self.min_epochs >= configs[0].epochs:
            raise InvalidInput(f"min_epochs must be less than the {configs[0].epochs} epochs of the trials")
        brackets = len(rungs(configs[0].epochs, self.min_epochs, self.halving))
        if self.hyperband and len(configs) < brackets:
            raise InvalidInput(f"trials must be at least {brackets}, one for each of hyperband's brackets, or 0")
        if not all(config.holdout for config in configs):
            raise InvalidInput(
                "holdout must be at least 1, got 0: halving compares trials on examples that are held out"
            )

    def _grid(self) -> Iterator[dict[str, Any]]:
        ranges = [name for name, values in self.over.items() if isinstance(values, Range)]
        if ranges:
            raise InvalidInput(f"{ranges[0]} is a range: say with trials how many draws to take from it")
        choices = [values for values in self.over.values() if isinstance(values, list)]
        count = int(np.prod([len(values) for values in choices], dtype=object))
        if not 1 <= count <= MOST_TRIALS:
            raise InvalidInput(f"a sweep must have 1 to {MOST_TRIALS} trials, these values make {count}")
        for values in product(*choices):
            yield dict(zip(self.over, values, strict=True))

    def _drawn(self) -> Iterator[dict[str, Any]]:
        for number in range(self.trials or self._paper_trials()):
            draws = np.random.Generator(np.random.Philox(key=[self.seed, number]))
            yield {name: _draw(draws, name, values) for name, values in self.over.items()}

    def _paper_trials(self) -> int:
        epochs = self._config({}).epochs
        return hyperband_trials(epochs, self.min_epochs, self.halving)

    def _config(self, changes: dict[str, Any]) -> TrainConfig:
        merged: dict[str, Any] = dict(self.base)
        for name, value in changes.items():
            merged = overlaid(merged, _nested(name, value))
        return from_preset(merged)


@dataclass(frozen=True)
class Trial:
    """One training of a sweep. changes: what sets it apart, by field."""

    number: int
    changes: dict[str, Any]
    config: TrainConfig


def _draw(draws: np.random.Generator, name: str, values: list[JsonValue] | Range) -> Any:
    if isinstance(values, list):
        if not values:
            raise InvalidInput(f"{name} must have values to draw from, got none")
        return values[int(draws.integers(len(values)))]
    low, high = values.low, values.high
    if low >= high or (values.log and low <= 0):
        bounds = "0 < low < high" if values.log else "low < high"
        raise InvalidInput(f"{name} must be a range with {bounds}, got {low} and {high}")
    number = exp(draws.uniform(log(low), log(high))) if values.log else float(draws.uniform(low, high))
    return round(number) if isinstance(low, int) and isinstance(high, int) else number


def _nested(name: str, value: Any) -> dict[str, Any]:
    """`optimizer.lr` and a value as `{"optimizer": {"lr": value}}`."""
    first, _, rest = name.partition(".")
    return {first: _nested(rest, value) if rest else value}
