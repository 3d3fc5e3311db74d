"""Kernels for single numbers, windows and channels, against NumPy's way, to which small arrays are left."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import ops
from ops import vectors
from ops.engines.simd.cpu import cpu
from ops.normalization import batch_norm, batch_norm_grad
from ops.optimizers.sgd import sgd_update

pytestmark = pytest.mark.skipif(not cpu().lanes, reason="no vectors that kernels could use")

NEVER, ALWAYS = 10**12, 0


@pytest.fixture
def both_ways(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], Any]], tuple[Any, Any]]:
    """What a call gives with kernels, and with NumPy."""

    def call(compute: Callable[[], Any]) -> tuple[Any, Any]:
        found = []
        for least in (ALWAYS, NEVER):
            monkeypatch.setattr(vectors, "LEAST_NUMBERS", least)
            found.append(compute())
        return found[0], found[1]

    return call


def normal(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def test_the_slope_of_relu_has_the_same_bits(both_ways):
    dy, y = normal(3, 37, seed=1), normal(3, 37, seed=2)
    y[0, :5] = [0.0, -0.0, np.nan, np.inf, -np.inf]
    with_kernels, with_numpy = both_ways(lambda: ops.relu_grad(dy, y))
    assert with_kernels.tobytes() == with_numpy.tobytes()


@pytest.mark.parametrize(
    "step_config",
    [
        ops.StepConfig(),
        ops.StepConfig(weight_decay=0.1),
        ops.StepConfig(momentum=0.9, weight_decay=1e-3),
        ops.StepConfig(momentum=0.9, nesterov=True, weight_decay=0.1),
    ],
    ids=str,
)
def test_a_step_has_the_same_bits(both_ways, step_config: ops.StepConfig):
    def step() -> tuple[bytes, bytes]:
        theta, velocity, gradient = normal(3, 1003)
        sgd_update(theta, velocity, gradient, 0.1, step_config)
        return theta.tobytes(), velocity.tobytes()

    with_kernels, with_numpy = both_ways(step)
    assert with_kernels == with_numpy


POOLS: list[tuple[tuple[int, ...], dict[str, Any]]] = [
    ((2, 3, 21, 40), {"size": 3, "stride": 2}),
    ((2, 1, 8, 12), {"size": 2}),
    ((2, 2, 7, 9), {"size": 3, "stride": 2, "padding": 1}),
    ((2, 2, 7, 9), {"size": (2, 3), "stride": (1, 3), "padding": 1, "ceil_mode": True}),
    ((1, 2, 5, 19), {"size": 2, "stride": 1}),
    ((2, 3, 2, 2), {"size": 2}),
]


@pytest.mark.parametrize(("shape", "window"), POOLS, ids=str)
def test_the_largest_of_windows_and_their_gradients_have_the_same_bits(both_ways, shape, window):
    x = np.round(normal(*shape) * 3)  # many are equal
    (y, argmax), (expected_y, expected_argmax) = both_ways(lambda: ops.max_pool2d(x, **window))
    assert argmax.dtype == expected_argmax.dtype
    np.testing.assert_array_equal(y, expected_y)
    np.testing.assert_array_equal(argmax, expected_argmax)
    dy = normal(*y.shape, seed=3)
    dx, expected = both_ways(lambda: ops.max_pool2d_grad(dy, argmax, x.shape, **window))
    np.testing.assert_array_equal(dx, expected)


def test_a_number_that_is_none_is_passed_on(both_ways):
    x = normal(1, 1, 3, 48)
    x[0, 0, 1, [0, 16, 47]] = np.nan
    (y, _), (expected, _) = both_ways(lambda: ops.max_pool2d(x, 3))
    np.testing.assert_array_equal(y, expected)
    assert np.isnan(y).sum() == 3


@pytest.mark.parametrize("shape", [(5, 3, 7, 7), (4, 2, 8, 8), (2, 3, 4, 4), (3, 2, 3, 5)], ids=str)
def test_batch_norm_is_that_of_float64(both_ways, shape):
    x, dy, weight, bias = normal(*shape) * 2 + 3, normal(*shape, seed=1), normal(shape[1], seed=2), normal(shape[1])

    def compute(dtype: type) -> list[np.ndarray]:
        own = [array.astype(dtype) for array in (x, weight, bias, dy)]
        forward = batch_norm(*own[:3])
        return [*forward, *batch_norm_grad(own[3], own[0], own[1], *forward[1:])]

    for found in both_ways(lambda: compute(np.float32)):
        for ours, exact in zip(found, compute(np.float64), strict=True):
            # sums of up to 245 numbers around 3, each rounded to 6e-8, relative to the largest
            np.testing.assert_allclose(ours, exact, rtol=0, atol=2e-6 * np.abs(exact).max())
