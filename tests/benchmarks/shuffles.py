"""Loss and accuracy of LeNet's default training with a full shuffle and with one by windows, a line for each seed.

    python -m tests.benchmarks.shuffles HOME DATASET full|windowed SEEDS

Windows are of 4 MB and chunks of 41 images, so that a window has as many chunks as those of a large data set.
"""

import sys
from pathlib import Path

from ops.engines import Choice
from service.config import from_preset
from service.data import chunked_groups, describe
from service.home import Home
from service.rounds.job import Job
from service.rounds.schedule import RoundSchedule
from service.rounds.serial_executor import SerialExecutor
from service.training.evaluate import evaluate


def figures(job: Job) -> tuple[float, float, float]:
    """Train loss and accuracy of the last epoch, and test accuracy."""
    schedule, last = RoundSchedule(job.plan), []
    for result in SerialExecutor().run_rounds(job, job.initial_state(), schedule.after(None), schedule):
        last = [*(each for each in last if each.round.epoch == result.round.epoch), result]
    examples = sum(each.examples for each in last)
    loss = sum(each.loss * each.examples for each in last) / examples
    accuracy = sum(each.accuracy * each.examples for each in last) / examples
    assert last[-1].state is not None
    return loss, accuracy, evaluate(job, last[-1].state.published).accuracy


if __name__ == "__main__":
    chunked_groups.CHUNK_BYTES = 41 * 784
    for seed in map(int, sys.argv[4].split(",")):
        config = from_preset({"dataset": sys.argv[2], "shuffle": sys.argv[3], "window": 4, "seed": seed})
        data = describe(Home(Path(sys.argv[1])).store(config.dataset))
        print(seed, *(f"{value:.4f}" for value in figures(Job(config, data, Choice("simd", "cpu")))), flush=True)
