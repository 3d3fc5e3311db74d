"""Activations, number by number."""

import math
from collections.abc import Callable

import numpy as np


def sigmoid(x: np.ndarray) -> np.ndarray:
    """1 / (1 + exp(-x)), written so that no exponential overflows."""
    return _each(x, lambda v: 1 / (1 + math.exp(-v)) if v > 0 else math.exp(v) / (1 + math.exp(v)))


def tanh(x: np.ndarray) -> np.ndarray:
    """(exp(x) - exp(-x)) / (exp(x) + exp(-x))."""
    return _each(x, math.tanh)


def relu(x: np.ndarray) -> np.ndarray:
    """max(x, 0)."""
    return _each(x, lambda v: max(v, 0.0))


def leaky_relu(x: np.ndarray, negative_slope: float = 0.01) -> np.ndarray:
    """x where x > 0, else negative_slope * x."""
    return _each(x, lambda v: v if v > 0 else negative_slope * v)


def gelu(x: np.ndarray) -> np.ndarray:
    """0.5 x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x³)))."""
    return _each(x, lambda v: 0.5 * v * (1 + math.tanh(math.sqrt(2 / math.pi) * (v + 0.044715 * v**3))))


def silu(x: np.ndarray) -> np.ndarray:
    """x sigmoid(x)."""
    return x * sigmoid(x)


def _each(x: np.ndarray, function: Callable[[float], float]) -> np.ndarray:
    return np.array([function(float(v)) for v in x.ravel()]).reshape(x.shape)
