"""How weights start."""

from collections.abc import Callable
from math import prod, sqrt
from types import MappingProxyType

import numpy as np

Initializer = Callable[[np.random.Generator, tuple[int, ...]], np.ndarray]


def xavier(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Uniform in ±sqrt(6 / (fan_in + fan_out)) (Glorot and Bengio, 2010; the textbook's choice). float32."""
    fan_in, fan_out = _fans(shape)
    bound = sqrt(6 / (fan_in + fan_out))
    return rng.uniform(-bound, bound, shape).astype(np.float32)


def he(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Normal with standard deviation sqrt(2 / fan_in), made for ReLU (He et al., 2015). float32."""
    fan_in, _ = _fans(shape)
    return rng.normal(0.0, sqrt(2 / fan_in), shape).astype(np.float32)


def zeros(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """All zeros: what not to do, since every unit then learns the same. float32."""
    return np.zeros(shape, np.float32)


INITIALIZERS: MappingProxyType[str, Initializer] = MappingProxyType({"xavier": xavier, "he": he, "zeros": zeros})


def _fans(shape: tuple[int, ...]) -> tuple[int, int]:
    receptive = prod(shape[2:])
    return shape[1] * receptive, shape[0] * receptive
