"""How good a model is: figures from its logits and the true labels."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ops.engines.base import Floats
from ops.softmax import log_softmax

BINS = 15
"""Into how many equal intervals of confidence the calibration is divided, as Guo et al. did."""


@dataclass(frozen=True)
class ClassFigures:
    """One class.

    Attributes:
        name: the class's name.
        support: how many examples are of it.
        precision: the share of the examples predicted as it that are of it.
        recall: the share of its examples that are predicted as it.
        f1: the harmonic mean of both.
    """

    name: str
    support: int
    precision: float
    recall: float
    f1: float


@dataclass(frozen=True)
class Bin:
    """Predictions whose confidence lies in one interval.

    Attributes:
        count: how many there are.
        confidence: their mean confidence.
        accuracy: the share of them that is right.
    """

    count: int
    confidence: float
    accuracy: float


@dataclass(frozen=True)
class Score:
    """The two main figures on some examples.

    Attributes:
        examples: how many there are.
        loss: mean cross-entropy, in nats.
        accuracy: the share that is predicted right.
    """

    examples: int
    loss: float
    accuracy: float


@dataclass(frozen=True)
class Evaluation:
    """All figures on the test examples.

    Attributes:
        examples: how many there are.
        loss: mean cross-entropy, in nats.
        accuracy: the share that is predicted right.
        classes: figures of each class.
        confusion: counts by [true class][predicted class].
        calibration_error: the expected calibration error (Guo et al., On calibration of modern neural networks, 2017,
            equation 3), over intervals of equal width that each hold their upper end.
        calibration: those intervals.
        balanced_accuracy: the mean recall of the classes that there are examples of.
        validation: figures on the training examples that are held out, where there are any.
    """

    examples: int
    loss: float
    accuracy: float
    classes: tuple[ClassFigures, ...]
    confusion: tuple[tuple[int, ...], ...]
    calibration_error: float
    calibration: tuple[Bin, ...]
    balanced_accuracy: float
    validation: Score | None = None


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
    figures = tuple(_figures(name, confusion, index) for index, name in enumerate(class_names))
    return Evaluation(
        examples=len(labels),
        loss=float(-log_probabilities[np.arange(len(labels)), labels].mean()),
        accuracy=float(right.mean()),
        classes=figures,
        confusion=tuple(tuple(int(count) for count in row) for row in confusion),
        calibration_error=sum(bin_.count * abs(bin_.confidence - bin_.accuracy) for bin_ in bins) / len(labels),
        calibration=bins,
        balanced_accuracy=float(np.mean([each.recall for each in figures if each.support])),
    )


def _figures(name: str, confusion: NDArray[np.int64], index: int) -> ClassFigures:
    hits = int(confusion[index, index])
    support, called = int(confusion[index].sum()), int(confusion[:, index].sum())
    precision = hits / called if called else 0.0
    recall = hits / support if support else 0.0
    f1 = 2 * precision * recall / (precision + recall) if hits else 0.0
    return ClassFigures(name, support, precision, recall, f1)


def _bins(confidence: NDArray[np.float64], right: NDArray[np.bool_]) -> tuple[Bin, ...]:
    place = np.clip(np.ceil(confidence * BINS).astype(np.int64) - 1, 0, BINS - 1)  # ((m - 1) / BINS, m / BINS]
    count = np.bincount(place, minlength=BINS)
    sure = np.bincount(place, weights=confidence, minlength=BINS)
    hits = np.bincount(place, weights=right, minlength=BINS)
    safe = np.maximum(count, 1)
    return tuple(Bin(int(n), float(s), float(h)) for n, s, h in zip(count, sure / safe, hits / safe, strict=True))
