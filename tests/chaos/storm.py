"""One run in a storm: parts are killed at random, mended, and the run must end in the bits of a calm one."""

import random
import time
from collections import Counter
from dataclasses import dataclass

from service.home import Home
from service.runs import RunFolder
from service.training import final_state
from tests.chaos.house import House, Part


@dataclass(frozen=True)
class Outcome:
    """How a run came through. seed repeats it; rounds counts those that were written down, each once."""

    seed: int
    digest: str
    killed: Counter
    rounds: int
    tasks_let_go: int
    starts: int
    wall_s: float
    left_over: list[str]


def storm(
    home: Home, run: str, given: dict, *, seed: int, kills: int, parts: tuple[Part, ...], limit: float
) -> Outcome:
    """Take a run to its end while `kills` parts are disturbed, each a random while after the one before.

    Raises AssertionError with the seed where the run isn't finished within `limit` seconds.
    """
    rng = random.Random(seed)
    house = House(home, run, given, workers=2)
    began = time.monotonic()
    next_at = None
    try:
        while not house.finished:
            assert time.monotonic() - began < limit, f"seed {seed}: not finished after {limit} s: {house.killed}"
            house.mend()
            under_way = any(entry["kind"] == "round" for entry in house.entries())
            if under_way and next_at is None:
                next_at = time.monotonic() + rng.uniform(0, 1)
            if next_at is not None and time.monotonic() > next_at and sum(house.killed.values()) < kills:
                house.disturb(rng.choice(parts), rng)
                next_at = time.monotonic() + rng.uniform(0.1, 3)
            time.sleep(0.05)
        wall = time.monotonic() - began
    finally:
        alive = house.close()
    folder = RunFolder(home.runs / run)
    entries = list(folder.entries())
    return Outcome(
        seed=seed,
        digest=final_state(folder).state.digest,
        killed=house.killed,
        rounds=sum(entry["kind"] == "round" for entry in entries),
        tasks_let_go=sum(entry["tasks"] for entry in entries if entry["kind"] == "disturbed"),
        starts=house.starts,
        wall_s=wall,
        left_over=[*map(str, alive), *(str(path) for path in home.root.rglob(".*-*"))],
    )
