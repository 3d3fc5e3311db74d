"""Losses, example by example."""

import math

import numpy as np


def softmax_cross_entropy(
    logits: np.ndarray, labels: np.ndarray, *, label_smoothing: float = 0.0
) -> tuple[float, np.ndarray]:
    """See `ops.loss.softmax_cross_entropy`."""
    n, classes = logits.shape
    loss, dlogits = 0.0, np.zeros((n, classes))
    for example in range(n):
        row = [float(v) for v in logits[example]]
        largest = max(row)
        total = sum(math.exp(v - largest) for v in row)
        for k in range(classes):
            probability = math.exp(row[k] - largest) / total
            target = label_smoothing / classes + (1 - label_smoothing) * (k == labels[example])
            loss -= target * (row[k] - largest - math.log(total)) / n
            dlogits[example, k] = (probability - target) / n
    return loss, dlogits


def squared_error(y: np.ndarray, target: np.ndarray) -> tuple[float, np.ndarray]:
    """See `ops.loss.squared_error`."""
    loss, dy = 0.0, np.zeros(y.shape)
    for index in np.ndindex(y.shape):
        difference = float(y[index]) - float(target[index])
        loss += difference**2
        dy[index] = 2 * difference
    return loss, dy
