"""Random arrays on either device, and how near results must be."""

from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np

from ops.arrays import array_module

# Sums of at most some 500 products of standard normals, each below 20: 500 * 20 * eps is 1e-3 in the worst case
# for float32, and rounding errors cancel to about a hundredth of that.
TOLERANCE = {np.dtype(np.float32): 2e-5, np.dtype(np.float64): 1e-12}


def normal(xp: ModuleType, seed: int, shape: tuple[int, ...], dtype: Any = np.float64) -> Any:
    """Standard normal numbers, the same on either device."""
    return xp.asarray(np.random.default_rng(seed).normal(size=shape).astype(dtype))


def distinct(xp: ModuleType, seed: int, shape: tuple[int, ...], dtype: Any = np.float64) -> Any:
    """The whole numbers around zero in random order: no two are nearer than 1, half are negative."""
    size = int(np.prod(shape))
    return xp.asarray((np.random.default_rng(seed).permutation(size) - size // 2).reshape(shape).astype(dtype))


def host(array: Any) -> np.ndarray:
    """A NumPy array, wherever it was."""
    return array.get() if hasattr(array, "get") else np.asarray(array)


def check_near(actual: Any, expected: Any, dtype: Any) -> None:
    """Same shape, the dtype asked for, and within that dtype's tolerance of the largest expected number."""
    actual, expected = host(actual), host(expected)
    assert actual.shape == expected.shape
    assert actual.dtype == dtype
    scale = max(1.0, float(np.abs(expected).max(initial=0.0)))
    np.testing.assert_allclose(actual, expected, rtol=0, atol=TOLERANCE[np.dtype(dtype)] * scale)


def check_gradient(function: Callable[[Any], Any], x: Any, gradient: Any, seed: int, tolerance: float = 1e-6) -> None:
    """Whether `gradient` is that of the number `function(x)`, by a central difference in a random direction.

    In float64 a step of 1e-4 leaves an error near 1e-8 from the third derivative and 1e-11 from rounding.
    """
    direction = np.random.default_rng(seed).uniform(-1, 1, x.shape)
    move = 1e-4 * array_module(x).asarray(direction)
    measured = float(function(x + move) - function(x - move)) / 2e-4
    claimed = float((host(gradient) * direction).sum())
    assert abs(measured - claimed) <= tolerance * max(1.0, abs(claimed)), (measured, claimed)
