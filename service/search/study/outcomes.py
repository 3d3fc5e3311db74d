"""What came out of the trainings of a study, as far as they are done."""

from dataclasses import dataclass

from service.home import Home
from service.runs import find_run
from service.search.study.cells import Cell, Study
from service.search.sweep import Result, SweepFolder
from service.training.history import epochs_of

TARGET = 0.8
"""The train accuracy that the time is taken to."""


@dataclass(frozen=True)
class Outcome:
    """One training. seconds_to_target: wall time of its epochs until one had `TARGET`; None where none had."""

    cell: Cell
    seed: int
    train_loss: float
    train_accuracy: float
    validation_accuracy: float | None
    test_accuracy: float
    wall_s: float
    seconds_to_target: float | None


def outcomes_of(home: Home, name: str, study: Study) -> list[Outcome]:
    """Every training that is done, in order. Raises SweepError or RunError for a damaged file."""
    found: list[Outcome] = []
    for suffix, cells, sweep in study.sweeps():
        folder = SweepFolder(home.sweeps / f"{name}-{suffix}")
        results = folder.results()
        seed = int(str(sweep.base["seed"]))
        found += [_outcome(home, cells[trial], seed, results[trial]) for trial in sorted(results)]
    return found


def _outcome(home: Home, cell: Cell, seed: int, result: Result) -> Outcome:
    epochs = epochs_of(find_run(home.runs, result.run))
    reached = [n for n, entry in enumerate(epochs, 1) if entry["train_accuracy"] >= TARGET]
    return Outcome(
        cell=cell,
        seed=seed,
        train_loss=result.train_loss,
        train_accuracy=result.train_accuracy,
        validation_accuracy=result.validation_accuracy,
        test_accuracy=result.test_accuracy,
        wall_s=result.wall_s,
        seconds_to_target=sum(entry["wall_s"] for entry in epochs[: reached[0]]) if reached else None,
    )
