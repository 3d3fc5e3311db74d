"""How good a run's parameters are after an epoch: what curves show, and what the best epoch is chosen by."""

from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from ops.engines.base import Floats
from service.data import Arrays, read
from service.rounds.job import Job, engine_of, split_of
from service.rounds.worker_cache import process_cache
from service.runs import Entry
from service.training.metrics import Evaluation, Score, score


@dataclass(frozen=True)
class EpochScores:
    """The figures after one epoch.

    Attributes:
        test: on the test examples.
        validation: on the training examples that are held out; None where none are.
    """

    test: Score
    validation: Score | None = None

    @classmethod
    def of(cls, evaluation: Evaluation) -> "EpochScores":
        """The main figures of a whole evaluation."""
        test = Score(evaluation.examples, evaluation.loss, evaluation.accuracy)
        return cls(test, evaluation.validation)

    @classmethod
    def from_entry(cls, entry: Entry) -> "EpochScores":
        """The figures that a line of the round log has."""
        validation = entry.get("validation")
        return cls(Score(**entry["test"]), Score(**validation) if validation else None)

    def to_values(self) -> dict[str, Any]:
        """The figures for a line of the round log."""
        return {name: value for name, value in asdict(self).items() if value is not None}


def score_epoch(job: Job, theta: Floats) -> EpochScores:
    """Measure parameters on the test examples, and on the examples that are held out. Runs on a worker."""
    engine = engine_of(job)
    images, labels = examples_for_test(job.data.path, job.data.digest)
    test = score(engine.predict(theta, images), labels)
    if not job.config.holdout:
        return EpochScores(test)
    images, labels = examples_held_out(job)
    return EpochScores(test, score(engine.predict(theta, images), labels))


@lru_cache(maxsize=1)
def examples_for_test(path: Path, digest: str) -> Arrays:
    """The test examples, read once for all epochs of a run."""
    return read(path, "test", digest)


def examples_held_out(job: Job) -> Arrays:
    """The training examples that are held out."""
    images, labels = process_cache().examples(job.data)
    numbers = split_of(job).held_out
    return images[numbers], labels[numbers]
