"""How good a model is: a function of its parameters and the data, computed where the data is."""

from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ops.engines.base import Floats
from ops.softmax import log_softmax
from service.data import Arrays, read
from service.rounds.job import Job, engine_of

BINS = 10
"""Into how many equal intervals of confidence the calibration is divided."""


@dataclass(frozen=True)
class ClassFigures:
    """One class: how many there are, the share of right calls (precision), the share that was found (recall)."""

    name: str
    support: int
    precision: float
    recall: float
    f1: float


@dataclass(frozen=True)
class Bin:
    """Predictions whose confidence lies in one interval: how many, how sure on average, how often right."""

    count: int
    confidence: float
    accuracy: float


@dataclass(frozen=True)
class Score:
    """What came out on some examples, in short. loss: mean cross-entropy in nats."""

    examples: int
    loss: float
    accuracy: float


@dataclass(frozen=True)
class Evaluation:
    """What came out on the test examples.

    loss: mean cross-entropy in nats. confusion: [true class][predicted class] counts.
    calibration_error: the expected calibration error (Guo et al., 2017), over ten bins.
    validation: what came out on the training examples that were kept out of the training, where there are any.
    """

    examples: int
    loss: float
    accuracy: float
    classes: tuple[ClassFigures, ...]
    confusion: tuple[tuple[int, ...], ...]
    calibration_error: float
    calibration: tuple[Bin, ...]
    validation: Score | None = None


def evaluate(job: Job, theta: Floats) -> Evaluation:
    """Run the network over the test examples, and over those kept out, and measure what it says. Runs on a worker."""
    engine = engine_of(job)
    images, labels = read(job.data.path, "test", job.data.digest)
    figures = measure(engine.predict(theta, images), labels, job.data.class_names)
    if not job.config.holdout:
        return figures
    images, labels = _kept_out(job.data.path, job.data.digest, job.plan.examples)
    return replace(figures, validation=score(engine.predict(theta, images), labels))


def score(logits: Floats, labels: NDArray[np.uint8]) -> Score:
    """Loss and accuracy, from logits (n, classes) and true labels (n,)."""
    losses = -log_softmax(logits)[np.arange(len(labels)), labels]
    return Score(len(labels), float(losses.mean()), float((logits.argmax(axis=1) == labels).mean()))


def measure(logits: Floats, labels: NDArray[np.uint8], class_names: tuple[str, ...]) -> Evaluation:
    """All figures, from logits (n, classes) and true labels (n,)."""
    classes = len(class_names)
    log_probabilities = log_softmax(logits)
    predicted = logits.argmax(axis=1)
    confusion = np.zeros((classes, classes), np.int64)
    np.add.at(confusion, (labels, predicted), 1)
    right = predicted == labels
    bins = _bins(np.exp(log_probabilities.max(axis=1)), right)
    return Evaluation(
        examples=len(labels),
        loss=float(-log_probabilities[np.arange(len(labels)), labels].mean()),
        accuracy=float(right.mean()),
        classes=tuple(_figures(name, confusion, index) for index, name in enumerate(class_names)),
        confusion=tuple(tuple(int(count) for count in row) for row in confusion),
        calibration_error=sum(bin_.count * abs(bin_.confidence - bin_.accuracy) for bin_ in bins) / len(labels),
        calibration=bins,
    )


@lru_cache(maxsize=1)
def _kept_out(path: Path, digest: str, first: int) -> Arrays:
    """The training examples from number `first` on, read once for all epochs of a run."""
    images, labels = read(path, "train", digest)
    return images[first:].copy(), labels[first:].copy()


def _figures(name: str, confusion: NDArray[np.int64], index: int) -> ClassFigures:
    hits = int(confusion[index, index])
    support, called = int(confusion[index].sum()), int(confusion[:, index].sum())
    precision = hits / called if called else 0.0
    recall = hits / support if support else 0.0
    f1 = 2 * precision * recall / (precision + recall) if hits else 0.0
    return ClassFigures(name, support, precision, recall, f1)


def _bins(confidence: NDArray[np.float64], right: NDArray[np.bool_]) -> tuple[Bin, ...]:
    place = np.minimum((confidence * BINS).astype(np.int64), BINS - 1)
    count = np.bincount(place, minlength=BINS)
    sure = np.bincount(place, weights=confidence, minlength=BINS)
    hits = np.bincount(place, weights=right, minlength=BINS)
    safe = np.maximum(count, 1)
    return tuple(Bin(int(n), float(s), float(h)) for n, s, h in zip(count, sure / safe, hits / safe, strict=True))
