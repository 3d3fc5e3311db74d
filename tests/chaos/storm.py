"""One run in a storm: parts are killed at random, mended, and the run must end in the bits of a calm one."""

import random
import time
from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

from service.home import Home
from service.runs import Entry, RunFolder
from service.training.history import final_checkpoint
from tests.chaos.house import House, Part
from tests.chaos.witness import begun_again, events

KILLS: tuple[Part, ...] = ("worker", "scheduler", "coordinator")
ODDS = (2, 1, 1)
ON_TOP: tuple[Part, ...] = ("frozen worker", "new worker")


@dataclass(frozen=True)
class Blow:
    """Falls on a part when so many more rounds than at the blow before are written down, and so much time went by.

    rest: in rounds of a calm run, so that a storm fits its run on machines of any speed.
    """

    part: Part
    rounds: int
    rest: float


@dataclass(frozen=True)
class Outcome:
    """How a run came through. seed repeats it.

    rounds: the digest of each that was written down, in order. disturbed: what was really done to it.
    joined: the added workers that took tasks. recomputed: tasks that were begun more than once.
    crashed: coordinators that ended without being killed. standstill_s: the longest time between two rounds.
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


def forecast(seed: int, kills: int) -> list[Blow]:
    """So many kills, and on top a worker frozen and one added, in random order.

    Some fall when the run goes on again, others in the middle of its recovery from the one before.
    """
    rng = random.Random(seed)
    parts = [*rng.choices(KILLS, ODDS, k=kills), *(ON_TOP if kills else ())]
    rng.shuffle(parts)
    return [
        Blow(part, rng.randrange(1, 20), rng.random()) if rng.random() < 0.6 else Blow(part, 0, rng.uniform(0, 30))
        for part in parts
    ]


def storm(home: Home, run: str, given: dict, blows: list[Blow], *, seed: int, round_s: float, limit: float) -> Outcome:
    """Take a run to its end while blows fall on its parts, each after the one before.

    round_s: how long a round of a calm run takes. Raises AssertionError with the seed where the run isn't finished
    within `limit` seconds, or was over before the last blow.
    """
    rng = random.Random(seed)
    house = House(home, run, given, workers=2)
    began = since = time.monotonic()
    due, seen = list(blows), 1
    try:
        while not house.finished:
            now = time.monotonic()
            assert now - began < limit, f"seed {seed}: not finished after {limit} s: {house.disturbed}"
            house.mend()
            done = len(_rounds(house.entries()))
            if due and done < seen + due[0].rounds:
                since = now
            elif due and now - since >= due[0].rest * round_s and house.disturb(due[0].part, rng):
                due.pop(0)
                since, seen = time.monotonic(), done
            time.sleep(0.03)
        wall = time.monotonic() - began
    finally:
        alive = house.close()
    assert not due, f"seed {seed}: the run was over before {len(due)} of its blows"
    return Outcome(
        seed=seed,
        digest=final_checkpoint(RunFolder(home.runs / run)).state.digest,
        rounds=_rounds(house.entries()),
        disturbed=house.disturbed,
        joined=len({event.process for event in events(house.folder)} & set(house.added)),
        recomputed=begun_again(events(house.folder)),
        crashed=house.starts - 1 - house.disturbed["coordinator"],
        wall_s=wall,
        standstill_s=max(later - earlier for earlier, later in pairwise(times(house.entries()))),
        left_over=[f"process {process}: {command}" for process, command in alive.items()] + _temporary(house),
    )


def times(entries: list[Entry]) -> list[float]:
    """When each round was written down, in seconds since 1970."""
    return [datetime.fromisoformat(entry["at"]).timestamp() for entry in entries if entry["kind"] == "round"]


def _rounds(entries: list[Entry]) -> list[str]:
    rounds = [entry for entry in entries if entry["kind"] == "round"]
    assert [entry["round"] for entry in rounds] == list(range(len(rounds)))
    return [entry["digest"] for entry in rounds]


def _temporary(house: House) -> list[str]:
    """Drafts in the home, and files where the run's processes put temporary ones.

    The empty ones there are locks of Dask's, which the next worker on the machine takes away.
    """
    drafts = (path for path in house.home.root.rglob(".*-*") if house.folder not in path.parents)
    files = (path for path in (house.folder / "tmp").rglob("*") if path.is_file() and path.stat().st_size)
    return [str(path) for path in (*drafts, *files)]
