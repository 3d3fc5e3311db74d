"""One run in a storm of faults: parts are killed at random and restarted; the bits must be those of a calm run."""

import random
import time
from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

from service.home import Home
from service.runs import Entry, find_run, run_at
from service.training.history import final_checkpoint
from tests.chaos.supervisor import Part, Supervisor
from tests.chaos.witness import begun_again, events

KILLS: tuple[Part, ...] = ("worker", "scheduler", "coordinator")
ODDS = (2, 1, 1)
ON_TOP: tuple[Part, ...] = ("frozen worker", "new worker")


@dataclass(frozen=True)
class Fault:
    """One fault of a storm.

    Attributes:
        part: what it hits.
        rounds: how many more rounds must be logged than at the fault before.
        rest: how much time must go by after that, in rounds of a calm run, so that a storm fits machines of any speed.
    """

    part: Part
    rounds: int
    rest: float


@dataclass(frozen=True)
class Outcome:
    """How a run came through a storm.

    Attributes:
        seed: repeats the storm.
        digest: of the final parameters.
        rounds: the digest of each logged round, in order.
        disturbed: how often each kind of fault was really injected.
        joined: how many additional workers took tasks.
        recomputed: how many tasks were begun more than once.
        crashed: how many coordinators ended without being killed.
        wall_s: how long the run took.
        standstill_s: the longest time between two rounds.
        left_over: processes of the run, and temporary files, that were there when everything had ended.
    """

    seed: int
    digest: str
    rounds: list[str]
    disturbed: Counter
    joined: int
    recomputed: int
    crashed: int
    wall_s: float
    standstill_s: float
    left_over: list[str]

    @property
    def kills(self) -> int:
        return sum(self.disturbed[part] for part in KILLS)


def forecast(seed: int, kills: int) -> list[Fault]:
    """So many kills, and on top a worker frozen and one added, in random order.

    Some fall when the run goes on again, others in the middle of its recovery from the one before.
    """
    rng = random.Random(seed)
    parts = [*rng.choices(KILLS, ODDS, k=kills), *(ON_TOP if kills else ())]
    rng.shuffle(parts)
    return [
        Fault(part, rng.randrange(1, 20), rng.random()) if rng.random() < 0.6 else Fault(part, 0, rng.uniform(0, 30))
        for part in parts
    ]


def storm(
    home: Home, run: str, given: dict, faults: list[Fault], *, seed: int, round_s: float, limit: float
) -> Outcome:
    """Take a run to its end while faults are injected, one after the other.

    Args:
        home: where the run is.
        run: its name.
        given: its configuration.
        faults: what happens to it.
        seed: for what is left to chance.
        round_s: how long a round of a calm run takes.
        limit: how many seconds the run may take.

    Raises:
        AssertionError: the run isn't finished in time, or was over before the last fault. The message has the seed.
    """
    rng = random.Random(seed)
    supervisor = Supervisor(home, run, given, workers=2)
    began = since = time.monotonic()
    due, seen, look_s = list(faults), 1, run_at(home.runs, run).poll_s / 3
    try:
        while not supervisor.finished:
            now = time.monotonic()
            assert now - began < limit, f"seed {seed}: not finished after {limit} s: {supervisor.disturbed}"
            supervisor.restart_missing()
            done = len(_rounds(supervisor.entries()))
            if due and done < seen + due[0].rounds:
                since = now
            elif due and now - since >= due[0].rest * round_s and supervisor.inject(due[0].part, rng):
                due.pop(0)
                since, seen = time.monotonic(), done
            time.sleep(look_s)
        wall = time.monotonic() - began
        supervisor.wait_for_coordinator()
    finally:
        alive = supervisor.close()
    assert not due, f"seed {seed}: the run was over before {len(due)} of its faults"
    return Outcome(
        seed=seed,
        digest=final_checkpoint(find_run(home.runs, run)).state.digest,
        rounds=_rounds(supervisor.entries()),
        disturbed=supervisor.disturbed,
        joined=len({event.process for event in events(supervisor.folder)} & set(supervisor.added)),
        recomputed=begun_again(events(supervisor.folder)),
        crashed=supervisor.starts - 1 - supervisor.disturbed["coordinator"],
        wall_s=wall,
        standstill_s=max(later - earlier for earlier, later in pairwise(times(supervisor.entries()))),
        left_over=[f"process {process}: {command}" for process, command in alive.items()] + _temporary(supervisor),
    )


def times(entries: list[Entry]) -> list[float]:
    """When each round was written down, in seconds since 1970."""
    return [datetime.fromisoformat(entry["at"]).timestamp() for entry in entries if entry["kind"] == "round"]


def _rounds(entries: list[Entry]) -> list[str]:
    rounds = [entry for entry in entries if entry["kind"] == "round"]
    assert [entry["round"] for entry in rounds] == list(range(len(rounds)))
    return [entry["digest"] for entry in rounds]


def _temporary(supervisor: Supervisor) -> list[str]:
    """Drafts in the home, and files where the run's processes put temporary ones.

    The empty ones there are locks of Dask's, which the next worker on the machine takes away.
    """
    drafts = (path for path in supervisor.home.root.rglob(".*-*") if supervisor.folder not in path.parents)
    files = (path for path in (supervisor.folder / "tmp").rglob("*") if path.is_file() and path.stat().st_size)
    return [str(path) for path in (*drafts, *files)]
