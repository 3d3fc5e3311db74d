"""`make chaos`: many runs, each in a storm of its own; every one must end in the bits of the calm run.

python -m tests.chaos [RUNS [KILLS [FIRST_SEED]]]
"""

import os
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from service.home import Home
from service.replay import replay
from tests.chaos.house import Part
from tests.chaos.storm import Outcome, storm
from tests.jobs import small, small_job

GIVEN = {
    "epochs": 24,
    "model": "lenet",
    "resize": 28,
    "averaging": {"shards": 4, "average_every": 6, "outer_momentum": 0.5},
}
PARTS: tuple[Part, ...] = ("worker", "scheduler", "coordinator", "worker", "frozen worker", "new worker")
KILLS: tuple[Part, ...] = ("worker", "scheduler", "coordinator")


def main(runs: int = 20, disturbances: int = 8, first_seed: int = 0) -> int:
    """Print a line a run and what a kill cost; 0 if every run ended in the same bits with nothing left over."""
    with tempfile.TemporaryDirectory() as folder:
        home = Home(Path(folder) / "home")
        os.environ["ATELIER_HOME"] = str(home.root)
        job = small_job(home, Path(folder) / "idx", train=1500, **GIVEN)
        *_, calm = replay(job, job.initial_state(), job.plan.first_round())
        rounds = calm.round.number + 1
        still = storm(home, "calm", small(**GIVEN), seed=-1, kills=0, parts=PARTS, limit=300)
        print(f"calm run: {rounds} rounds, digest {calm.digest[:16]}, {still.wall_s:.1f} s", flush=True)
        outcomes = []
        for seed in range(first_seed, first_seed + runs):
            began = time.monotonic()
            outcome = storm(
                home, f"storm-{seed}", small(**GIVEN), seed=seed, kills=disturbances, parts=PARTS, limit=300
            )
            outcomes.append(outcome)
            same = "same bits" if outcome.digest == calm.digest else "OTHER BITS"
            told = ", ".join(f"{count} {part}" for part, count in sorted(outcome.killed.items()))
            print(
                f"seed {seed:>3}: {same}, {told}; {outcome.tasks_let_go} tasks let go, {outcome.starts} coordinators, "
                f"{time.monotonic() - began:.1f} s",
                flush=True,
            )
        return _sum_up(outcomes, calm.digest, rounds, still.wall_s)


def _sum_up(outcomes: list[Outcome], digest: str, rounds: int, calm_s: float) -> int:
    disturbed: Counter = sum((outcome.killed for outcome in outcomes), Counter())
    kills = sum(disturbed[part] for part in KILLS)
    lost = sum(outcome.wall_s - calm_s for outcome in outcomes)
    good = sum(outcome.digest == digest and outcome.rounds == rounds for outcome in outcomes)
    left_over = [name for outcome in outcomes for name in outcome.left_over]
    print(
        f"\n{kills} kills ({', '.join(f'{disturbed[p]} {p}' for p in KILLS)}), "
        f"{disturbed['frozen worker']} frozen, {disturbed['new worker']} joined\n"
        f"{lost / max(sum(disturbed.values()), 1):.2f} s lost a disturbance, restarting the killed process included\n"
        f"left over: {', '.join(left_over) or 'nothing'}"
    )
    bad = len(outcomes) - good + len(left_over)
    print(f"{good} passed, {bad} failed")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:])))
