"""Losses, example by example."""

import math
from collections.abc import Sequence

import numpy as np


def softmax_cross_entropy(
    logits: np.ndarray, labels: np.ndarray, *, label_smoothing: float = 0.0, class_weights: Sequence[float] = ()
) -> tuple[float, np.ndarray]:
    """See `ops.loss.softmax_cross_entropy`."""
    n, classes = logits.shape
    loss, dlogits = 0.0, np.zeros((n, classes))
    for example in range(n):
        row = [float(v) for v in logits[example]]
        largest = max(row)
        total = sum(math.exp(v - largest) for v in row)
        targets = [label_smoothing / classes + (1 - label_smoothing) * (k == labels[example]) for k in range(classes)]
        targets = [target * weight for target, weight in zip(targets, class_weights or (1,) * classes, strict=True)]
        for k, target in enumerate(targets):
            probability = math.exp(row[k] - largest) / total
            loss -= target * (row[k] - largest - math.log(total)) / n
            dlogits[example, k] = (probability * sum(targets) - target) / n
    return loss, dlogits


def squared_error(y: np.ndarray, target: np.ndarray) -> tuple[float, np.ndarray]:
    """See `ops.loss.squared_error`."""
    loss, dy = 0.0, np.zeros(y.shape)
    for index in np.ndindex(y.shape):
        difference = float(y[index]) - float(target[index])
        loss += difference**2
        dy[index] = 2 * difference
    return loss, dy
