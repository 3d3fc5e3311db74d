"""What a kill costs: LeNet on Fashion-MNIST with the default strategy on two workers, kills at random instants.

python -m tests.chaos.cost [KILLS_A_RUN [RUNS]]

Times come from the round log and from what the workers saw. All are printed as median and worst, in seconds and in calm
rounds: those just before each kill.
"""

import random
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from statistics import median

from service.data import describe
from service.home import Home
from service.runs import Entry
from tests.chaos.storm import KILLS, times
from tests.chaos.supervisor import Part, Supervisor, close_when_terminated
from tests.chaos.witness import Event, events

GIVEN = {"model": "lenet", "epochs": 10_000, "averaging": {"solo_share": 0}}
"""Never finished: it is left when the kills are done."""

CALM_ROUNDS = 6
LIMIT_SECONDS = 180


@dataclass(frozen=True)
class Cost:
    """What one kill cost, in seconds.

    Attributes:
        noticed: until the log says so; for a coordinator, until its successor has begun.
        idle: from then until a worker begins a task again.
        back: from when it was noticed until the current round is in the log.
        replaced: from the kill until as many workers as before have done a task.
        lost: by how much all later rounds are later.
        calm: a round before the kill.
        alone: a round of the workers that were left; None where there was no whole one.
    """

    noticed: float
    idle: float
    back: float
    replaced: float
    lost: float
    calm: float
    alone: float | None


def main(kills: int = 6, runs: int = 3) -> None:
    """Print a table for each part that is killed."""
    with tempfile.TemporaryDirectory() as folder:
        home = _scratch_home(Home.from_environment(), Path(folder) / "home")
        for part in KILLS:
            costs = [cost for number in range(runs) for cost in _measure(home, f"{part}-{number}", part, kills, number)]
            print(render(part, costs), flush=True)


def _scratch_home(real: Home, root: Path) -> Home:
    """A home for runs that nobody wants to keep, on the real one's data."""
    describe(real.store("fashion-mnist"))
    root.mkdir()
    (root / "data").symlink_to(real.data)
    home = Home(root)
    home.prepare()
    return home


def _measure(home: Home, run: str, part: Part, kills: int, seed: int) -> list[Cost]:
    """The costs of so many kills of a part in one run, each in a calm that came back after the one before."""
    rng = random.Random(seed)
    supervisor = Supervisor(home, run, GIVEN, workers=2)
    killed: list[float] = []
    try:
        _await(supervisor, lambda: _is_calm(supervisor, 0.0))
        for _ in range(kills):
            time.sleep(rng.uniform(0, 1))
            killed.append(time.time())
            assert supervisor.inject(part, rng), f"{run}: no {part} to kill"
            _await(supervisor, lambda: _is_calm(supervisor, killed[-1]))
    finally:
        left = supervisor.close()
    assert not left, left
    entries, seen = supervisor.entries(), sorted(events(supervisor.folder), key=lambda event: event.at)
    return [cost_of(when, until, entries, seen) for when, until in pairwise([*killed, time.time()])]


def _await(supervisor: Supervisor, is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + LIMIT_SECONDS
    while not is_so():
        assert time.monotonic() < deadline, f"{supervisor.run}: no calm after {LIMIT_SECONDS} s"
        supervisor.restart_missing()
        time.sleep(0.05)


def _is_calm(supervisor: Supervisor, since: float) -> bool:
    """Whether all workers that there should be have done a task since then, and some rounds came after that."""
    works = _first_tasks([event for event in events(supervisor.folder) if event.at > since])
    alive = [at for process, at in works.items() if supervisor.is_working(process)]
    if len(alive) < supervisor.workers:
        return False
    return len([at for at in times(supervisor.entries()) if at > max(alive)]) > CALM_ROUNDS


def cost_of(killed: float, until: float, entries: list[Entry], seen: list[Event]) -> Cost:
    """What a kill cost, from the run's log and its workers' tasks in order; `until` is when the next one came."""
    rounds = [at for at in times(entries) if at < until]
    before = [at for at in rounds if at < killed]
    calm = median(later - earlier for earlier, later in pairwise(before[-CALM_ROUNDS:]))
    noticed = next(_at(e) for e in entries if e["kind"] in ("disturbed", "begin") and _at(e) > killed)
    begun = next(e.at for e in seen if e.kind == "round" and e.state == "executing" and e.at > noticed)
    back = next(at for at in rounds if at > noticed)
    earlier = {event.process for event in seen if event.at < killed}
    newcomers = [at for process, at in _first_tasks(seen).items() if process not in earlier and at < until]
    replaced = max(newcomers, default=killed)
    alone = [second - first for first, second in pairwise(rounds) if first >= back and second < replaced]
    return Cost(
        noticed=noticed - killed,
        idle=begun - noticed,
        back=back - noticed,
        replaced=replaced - killed,
        lost=rounds[-1] - before[-1] - calm * (len(rounds) - len(before)),
        calm=calm,
        alone=median(alone) if alone else None,
    )


def _first_tasks(seen: list[Event]) -> dict[int, float]:
    """When each process had done its first shard of a round."""
    first: dict[int, float] = {}
    for event in seen:
        if event.kind == "round" and event.state == "memory":
            first[event.process] = min(event.at, first.get(event.process, event.at))
    return first


def _at(entry: Entry) -> float:
    return datetime.fromisoformat(entry["at"]).timestamp()


def render(part: Part, costs: list[Cost]) -> str:
    """The costs of killing one kind of part, as a table."""
    calm = median(cost.calm for cost in costs)
    alone = [cost.alone - cost.calm for cost in costs if cost.alone is not None]
    rows = {
        "kill -> noticed": [cost.noticed for cost in costs],
        "noticed -> a task begins": [cost.idle for cost in costs],
        "  -> the round at hand is done": [cost.back - cost.idle for cost in costs],
        "noticed -> back": [cost.back for cost in costs],
    }
    if alone and part == "worker":
        rows["  without the missing share"] = [cost.back - median(alone) for cost in costs]
    if part != "coordinator":
        rows["kill -> all workers at work"] = [cost.replaced for cost in costs]
    rows["lost all in all"] = [cost.lost for cost in costs]
    lines = [f"{len(costs)} kills of a {part}; a calm round takes {calm:.3f} s"]
    lines += [
        f"  {name:<34}{median(values):>7.2f} s{median(values) / calm:>6.1f} rounds; "
        f"worst{max(values):>7.2f} s{max(values) / calm:>6.1f} rounds"
        for name, values in rows.items()
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    close_when_terminated()
    main(*map(int, sys.argv[1:]))
