"""How good a run's parameters are after an epoch: what curves show, and what the best epoch is chosen by."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ops.engines.base import Floats
from service.data import Arrays, read
from service.data.store import blocks, open_chunks
from service.rounds.job import Job, engine_of, split_of
from service.rounds.reading import resident_images
from service.rounds.worker_cache import process_cache
from service.runs import Entry
from service.training.metrics import Evaluation, Score, score

LEAST = 512
"""Examples that are predicted together, where so many are left."""

KEPT = 64 << 20
"""Bytes of test images that a process keeps from one epoch to the next."""


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
    test = score(*predicted(job, theta, parts_for_test(job)))
    validation = score(*predicted(job, theta, held_out_parts(job))) if job.config.holdout else None
    return EpochScores(test, validation)


def predicted(job: Job, theta: Floats, parts: Iterable[Arrays]) -> tuple[Floats, NDArray[np.uint8]]:
    """The logits (n, classes) of examples that come in parts, and their labels (n,)."""
    engine = engine_of(job)
    found = [(engine.predict(theta, images), labels) for images, labels in _together(parts)]
    logits, labels = zip(*found, strict=True)
    return np.concatenate(logits), np.concatenate(labels)


def parts_for_test(job: Job) -> Iterator[Arrays]:
    """The test examples: as one part, which is kept for all epochs of a run, unless they are too many for that."""
    data = job.data
    if data.is_chunked and data.test * data.image_bytes > KEPT:
        yield from blocks(data.path, "test", data.digest)
    else:
        yield _kept(data.path, data.digest)


def held_out_parts(job: Job) -> Iterator[Arrays]:
    """The training examples that are held out; by chunks where not all of the training examples are in memory."""
    numbers, labels = split_of(job).held_out, process_cache().labels(job.data)
    if resident_images(job) is None:
        yield process_cache().examples(job.data)[0][numbers], labels[numbers]
        return
    images = open_chunks(job.data.path, "train", job.data.digest).images
    for chunk in np.unique(numbers // images.layout.rows).tolist():
        span = images.layout.span(chunk)
        inside = numbers[np.searchsorted(numbers, span.start) : np.searchsorted(numbers, span.stop)]
        yield images.read(chunk)[inside - span.start], labels[inside]


def _together(parts: Iterable[Arrays]) -> Iterator[Arrays]:
    """The same examples in parts of `LEAST` at least, except the last: engines take many at little more cost."""
    held: list[Arrays] = []
    for part in parts:
        held.append(part)
        if sum(len(labels) for _, labels in held) >= LEAST:
            yield _joined(held)
            held = []
    if held:
        yield _joined(held)


def _joined(parts: Sequence[Arrays]) -> Arrays:
    if len(parts) == 1:
        return parts[0]
    return np.concatenate([images for images, _ in parts]), np.concatenate([labels for _, labels in parts])


@lru_cache(maxsize=1)
def _kept(path: Path, digest: str) -> Arrays:
    return read(path, "test", digest)
