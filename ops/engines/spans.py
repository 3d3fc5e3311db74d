"""Several shards and rounds in one call, for engines that take one shard at a time: the reference for all others."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from time import perf_counter
from typing import Any, Protocol

from ops.averaging import average, squared_distance
from ops.engines.base import DeviceName, Floats, Replica, RoundResult, RoundSteps, StepResult, Steps
from ops.errors import OpsError, ShapeError
from ops.network import Network


class Shards(Protocol):
    """As much of an engine as rounds need."""

    network: Network

    def run_shards(self, replicas: Sequence[Replica], data: Any, steps: Sequence[Steps]) -> list[StepResult]:
        """See `Engine.run_shards`."""


class OneByOne:
    """What an engine inherits that takes shards one after another and averages on the host.

    Attributes:
        network: what the engine runs.
    """

    network: Network

    @classmethod
    def slowdown(cls, device: DeviceName) -> str:
        """See `Engine.slowdown`. Nothing, unless an engine says otherwise."""
        return ""

    def run(self, replica: Replica, data: Any, steps: Steps) -> StepResult:
        """See `Engine.run`."""
        raise NotImplementedError  # an engine has its own

    def run_shards(self, replicas: Sequence[Replica], data: Any, steps: Sequence[Steps]) -> list[StepResult]:
        """See `Engine.run_shards`. Raises ShapeError where there is not a replica for each shard's steps."""
        check_shards(replicas, steps)
        return [self.run(replica, data, of_shard) for replica, of_shard in zip(replicas, steps, strict=True)]

    def run_rounds(
        self, replica: Replica, outer: Floats, data: Any, rounds: Iterable[RoundSteps]
    ) -> Iterator[RoundResult]:
        """See `Engine.run_rounds`. Raises OpsError for a round without examples."""
        return rounds_on_host(self, replica, outer, data, rounds)


def rounds_on_host(
    engine: Shards, replica: Replica, outer: Floats, data: Any, rounds: Iterable[RoundSteps]
) -> Iterator[RoundResult]:
    """`Engine.run_rounds` on an engine's `run_shards`, with averages on the host: the bits that all engines give."""
    held: RoundResult | None = None
    for round_ in rounds:
        if held is not None:
            yield replace(held, velocity=None, outer=None)
        held = _round(engine, replica, outer, data, round_)
        replica, outer = held.end
    if held is not None:
        yield held


def _round(engine: Shards, start: Replica, outer: Floats, data: Any, round_: RoundSteps) -> RoundResult:
    check_round(round_)
    began = perf_counter()
    results = engine.run_shards([start] * len(round_.shards), data, round_.shards)
    seconds = perf_counter() - began
    examples = tuple(result.examples for result in results)
    trained = engine.network.num_parameters
    after = average([result.replica for result in results], examples, start.theta, outer, round_.rule, trained)
    return RoundResult(
        theta=after.replica.theta,
        examples=examples,
        losses=tuple(result.loss for result in results),
        correct=tuple(result.correct for result in results),
        distances=tuple(squared_distance(result.replica.theta[:trained], start.theta[:trained]) for result in results),
        length=after.length,
        travelled=after.travelled,
        seconds=seconds,
        velocity=after.replica.velocity,
        outer=after.outer,
    )


def check_shards(replicas: Sequence[Replica], steps: Sequence[Steps]) -> None:
    """Raises ShapeError where there is not a replica for each shard's steps."""
    if len(replicas) != len(steps):
        raise ShapeError(
            f"replicas and steps must be as many as there are shards, got {len(replicas)} and {len(steps)}"
        )


def check_round(round_: RoundSteps) -> None:
    """Raises OpsError for a round without examples, of which there is no average."""
    if not any(len(steps) and steps.offsets[-1] > steps.offsets[0] for steps in round_.shards):
        raise OpsError(f"a round must have examples, got none in {len(round_.shards)} shards")
