"""`make chaos`: many runs, each in a storm of its own; every one must end in the bits of the calm run.

python -m tests.chaos [RUNS [KILLS_A_RUN [FIRST_SEED [s3]]]]

Killed are workers, the scheduler and the coordinator; a worker frozen and one added come on top of that in each run.
With `s3`, data and runs lie in a bucket, of which every fifth request fails.
"""

import os
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

from service.home import Home
from tests.chaos.storm import KILLS, Outcome, forecast, storm
from tests.chaos.supervisor import close_when_terminated
from tests.jobs import serial_results, small, small_job
from tests.object_storage import KEYS, new_bucket, serving_objects, trouble

GIVEN = {
    "epochs": 24,
    "model": "lenet",
    "resize": 28,
    "averaging": {"shards": 4, "average_every": 6, "outer_momentum": 0.5},
}
LIMIT_SECONDS = 300


def main(runs: int = 20, kills: int = 6, first_seed: int = 0, where: str = "folder") -> int:
    """Print a line a run and what a kill cost; 0 if every run ended in the same bits with nothing left over."""
    with tempfile.TemporaryDirectory() as folder, bucket() if where == "s3" else nullcontext():
        os.environ["ATELIER_HOME"] = str(Path(folder) / "home")
        home = Home.from_environment()
        job = small_job(home, Path(folder) / "idx", train=1500, **GIVEN)
        expected = [report.digest for report in serial_results(job)]
        given = small(**GIVEN)
        calm = storm(home, "calm", given, [], seed=-1, round_s=0, limit=LIMIT_SECONDS)
        print(f"calm run: {len(expected)} rounds, digest {expected[-1][:16]}, {calm.wall_s:.1f} s", flush=True)
        outcomes = []
        for seed in range(first_seed, first_seed + runs):
            faults, round_s = forecast(seed, kills), calm.wall_s / len(expected)
            outcomes.append(
                storm(home, f"storm-{seed}", given, faults, seed=seed, round_s=round_s, limit=LIMIT_SECONDS)
            )
            print(_line(outcomes[-1], expected, calm.wall_s), flush=True)
        return _sum_up(outcomes, expected, calm.wall_s)


@contextmanager
def bucket() -> Iterator[None]:
    """Have data, runs and models in a bucket that fails now and then, as the environment says."""
    with serving_objects() as endpoint:
        os.environ |= {**KEYS, "AWS_ENDPOINT_URL": endpoint}
        for part in ("data", "runs", "models"):
            os.environ[f"ATELIER_{part.upper()}"] = new_bucket(endpoint, f"chaos-{part}", part)
        with trouble(endpoint, unsteady=5):
            yield


def _line(outcome: Outcome, expected: list[str], calm_s: float) -> str:
    told = ", ".join(f"{count} {part}" for part, count in sorted(outcome.disturbed.items()))
    return (
        f"seed {outcome.seed:>3}: {'same bits' if outcome.rounds == expected else 'OTHER BITS'}; {told}; "
        f"{outcome.recomputed} tasks recomputed, {outcome.wall_s:.1f} s, {outcome.wall_s - calm_s:.1f} of them lost"
    )


def _sum_up(outcomes: list[Outcome], expected: list[str], calm_s: float) -> int:
    disturbed = sum((outcome.disturbed for outcome in outcomes), Counter())
    kills = sum(outcome.kills for outcome in outcomes)
    lost_s = sum(outcome.wall_s - calm_s for outcome in outcomes)
    recomputed = sum(outcome.recomputed for outcome in outcomes)
    missing = sum(len(expected) - len(outcome.rounds) for outcome in outcomes)
    left_over = [name for outcome in outcomes for name in outcome.left_over]
    crashed = sum(outcome.crashed for outcome in outcomes)
    longest = max(outcomes, key=lambda outcome: outcome.standstill_s)
    bad = [o for o in outcomes if (o.rounds, o.digest) != (expected, expected[-1]) or o.left_over or o.crashed]
    print(
        f"\n{len(outcomes)} runs, {kills} kills: {', '.join(f'{disturbed[part]} {part}' for part in KILLS)}\n"
        f"on top: {disturbed['frozen worker']} workers frozen, {disturbed['new worker']} added, "
        f"of which {sum(outcome.joined for outcome in outcomes)} took tasks\n"
        f"{recomputed} tasks recomputed, {recomputed / max(kills, 1):.1f} a kill\n"
        f"{lost_s / max(kills, 1):.2f} s lost a kill, restarting what was killed and waiting for the frozen included\n"
        f"longest time without a round: {longest.standstill_s:.1f} s, seed {longest.seed}\n"
        f"coordinators that ended without being killed: {crashed or 'none'}\n"
        f"rounds lost: {missing or 'none'}\n"
        f"processes and temporary files left over: {'; '.join(left_over) or 'none'}\n"
        f"{len(outcomes) - len(bad)} passed, {len(bad)} failed"
    )
    for outcome in bad:
        print(f"again: python -m tests.chaos 1 {outcome.kills} {outcome.seed}")
    return 1 if bad else 0


if __name__ == "__main__":
    close_when_terminated()
    sys.exit(main(*map(int, sys.argv[1:4]), *sys.argv[4:]))
