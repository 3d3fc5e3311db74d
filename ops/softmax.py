"""Probabilities from logits, in float64: what is reported, and never what is trained with."""

import numpy as np
from numpy.typing import NDArray

from ops.engines.base import Floats


def softmax(logits: Floats) -> NDArray[np.float64]:
    """The probabilities (n, classes) of logits (n, classes)."""
    powers = np.exp(logits - logits.max(axis=1, keepdims=True), dtype=np.float64)
    probabilities: NDArray[np.float64] = powers / powers.sum(axis=1, keepdims=True)
    return probabilities


def log_softmax(logits: Floats) -> NDArray[np.float64]:
    """The logarithms of the probabilities (n, classes) of logits (n, classes)."""
    shifted = logits.astype(np.float64) - logits.max(axis=1, keepdims=True)
    normalised: NDArray[np.float64] = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return normalised
