"""How much of a run's wall time is not spent in steps, read from its round log."""

from dataclasses import dataclass
from datetime import datetime

from service.errors import RunError
from service.runs import Entry, Run


@dataclass(frozen=True)
class RoundCosts:
    """Where the time of a run's rounds went.

    wall_s: from the first finished round to the last. step_s: spent in steps after the first round, summed over all
    shards. overhead_share: the part of the workers' time that was not steps. round_ms, overhead_ms: means a round.
    """

    run: str
    rounds: int
    workers: int
    wall_s: float
    step_s: float
    overhead_share: float
    round_ms: float
    overhead_ms: float


def round_costs(run: Run, workers: int) -> RoundCosts:
    """What the rounds of a finished run cost. The first round is left out: it loads data and compiles kernels.

    Raises RunError where the run has fewer than two rounds.
    """
    rounds = [entry for entry in run.entries() if entry["kind"] == "round"]
    if len(rounds) < 2:
        raise RunError(f"run {run.name} has {len(rounds)} rounds; at least 2 are needed to measure")
    wall = (_at(rounds[-1]) - _at(rounds[0])).total_seconds()
    counted = rounds[1:]
    busy = sum(entry["step_s"] / min(entry["shards"], workers) for entry in counted)
    return RoundCosts(
        run=run.name,
        rounds=len(counted),
        workers=workers,
        wall_s=wall,
        step_s=sum(entry["step_s"] for entry in counted),
        overhead_share=max(0.0, 1 - busy / wall),
        round_ms=1e3 * wall / len(counted),
        overhead_ms=1e3 * (wall - busy) / len(counted),
    )


def render(costs: RoundCosts) -> str:
    """The costs as text."""
    return (
        f"{costs.rounds} rounds on {costs.workers} workers in {costs.wall_s:.2f} s\n"
        f"  {costs.round_ms:.1f} ms a round, {costs.overhead_ms:.1f} ms of it not in steps\n"
        f"  {costs.overhead_share:.1%} of the wall time not spent in steps"
    )


def _at(entry: Entry) -> datetime:
    return datetime.fromisoformat(entry["at"])
