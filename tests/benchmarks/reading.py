"""What it costs to read examples by chunks: processor time an example, beside that of a data set in memory, in turns.

    python -m tests.benchmarks.reading HOME LARGE SMALL [ROUNDS]

Both data sets have been ingested; LARGE is chunked. All threads of the process count, so that of reading ahead too.
"""

import sys
from pathlib import Path
from statistics import median
from time import process_time

from ops.engines import Choice
from service.config import from_preset
from service.data import describe
from service.home import Home
from service.rounds.job import Job
from service.rounds.schedule import RoundSchedule
from service.rounds.serial_executor import run_round

TURNS = 6


def microseconds(home: Home, names: list[str], rounds: int) -> dict[str, list[float]]:
    """For each data set the time an example of each turn takes."""
    found: dict[str, list[float]] = {name: [] for name in names}
    jobs = {}
    for name in names:
        config = from_preset({"dataset": name, "averaging": {"solo_share": 0, "solo_steps": 0}, "epochs": 100})
        job = Job(config, describe(home.store(name)), Choice("simd", "cpu"), data_memory=260)
        schedule = RoundSchedule(job.plan)
        jobs[name] = [job, schedule, run_round(job, job.initial_state(), job.plan.first_round())]
    for _ in range(TURNS):
        for name, (job, schedule, last) in jobs.items():
            examples, began = 0, process_time()
            for _ in range(rounds):
                following = schedule.after(last.round)
                last = run_round(job, last.state, following)
                examples += last.examples
            found[name].append((process_time() - began) / examples * 1e6)
            jobs[name][2] = last
    return found


if __name__ == "__main__":
    taken = microseconds(Home(Path(sys.argv[1])), sys.argv[2:4], int(sys.argv[4]) if len(sys.argv) > 4 else 12)
    for name, values in taken.items():
        print(f"{name}: {median(values):.2f} us an example, {', '.join(f'{value:.2f}' for value in values)}")
    large, small = (median(taken[name]) for name in sys.argv[2:4])
    print(f"{large / small:.3f} times")
