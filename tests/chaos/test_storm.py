"""Whatever dies, the bits are the same. `make chaos` runs the long form and prints what it cost."""

from pathlib import Path

import pytest

from service.home import Home
from service.replay import replay
from tests.chaos.storm import storm
from tests.jobs import small, small_job

# rounds of some 50 ms, enough of them that a storm of a few seconds falls within the run
LONG = {"epochs": 12, "train": 1500, "model": "lenet", "resize": 28, "averaging": {"shards": 4, "average_every": 6}}


def calm_digest(home: Home, folder: Path, **given) -> str:
    job = small_job(home, folder, **given)
    *_, last = replay(job, job.initial_state(), job.plan.first_round())
    return last.digest


@pytest.mark.parametrize("seed", [1])
def test_a_run_survives_the_death_of_every_part(home: Home, tmp_path: Path, seed: int):
    calm = calm_digest(home, tmp_path / "idx", **LONG)
    given = small(**{name: value for name, value in LONG.items() if name != "train"})
    outcome = storm(
        home,
        "storm",
        given,
        seed=seed,
        kills=6,
        parts=("worker", "scheduler", "coordinator", "frozen worker", "new worker"),
        limit=240,
    )
    assert sum(outcome.killed.values()) >= 3
    assert (outcome.digest, outcome.left_over) == (calm, [])
    assert outcome.rounds == 12 * 8
