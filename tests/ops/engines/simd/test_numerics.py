"""Exponentials, sigmoid and tanh on vectors, against float64, over all of float32."""

import numpy as np
import pytest

import ops
from ops.engines.simd import activation, numerics
from ops.engines.simd.kernel import Kernel
from ops.engines.simd.memory import Memory
from ops.engines.simd.plan import Plan
from ops.engines.simd.single import SingleKernels
from ops.network import Network
from ops.step_config import StepConfig

COUNT = 1 << 14


class Anywhere:
    """Memory for a kernel that takes COUNT numbers from its first half to its second."""

    def __init__(self, numbers):
        plan = Plan(Network("none", (1, 128, 256), (ops.Flatten(), ops.Dense(1))), StepConfig())
        self.memory = Memory(plan.layout)
        self.floats = self.memory.floats
        self.floats[:COUNT] = numbers


def apply(write, numbers):
    """What a function of vectors makes of the numbers (COUNT,)."""

    def kernel(code):
        with code.loop(0, COUNT, code.lanes) as n:
            code.store(write(code, code.load(n)), n + COUNT)

    single, place = Kernel("function", kernel), Anywhere(numbers)
    SingleKernels([single]).call(single, place.memory)
    return place.floats[COUNT : 2 * COUNT].copy()


def numbers():
    """Dense near 0 and over the range that matters, thin out to the largest float32."""
    exponents = np.linspace(-37, 38, COUNT // 8)
    parts = [
        np.linspace(-20, 20, COUNT // 4),
        np.linspace(-100, 100, COUNT // 4),
        np.linspace(-1, 1, COUNT // 4),
        10**exponents,
        -(10**exponents),
    ]
    x = np.concatenate(parts).astype(np.float32)
    x[:4] = [0, -0.0, np.inf, -np.inf]
    return x


def ulps(ours, exact):
    """How far off, in units of the last place of a float32 as large as the exact result."""
    smallest = np.finfo(np.float32).tiny
    return np.abs(ours - exact) / np.spacing(np.maximum(np.abs(exact), smallest).astype(np.float32))


def test_sigmoid_is_right_to_a_few_units_of_the_last_place():
    x = numbers()
    ours = apply(lambda code, v: numerics.sigmoid(code, v), x).astype(np.float64)
    with np.errstate(over="ignore"):
        exact = 1 / (1 + np.exp(-x.astype(np.float64)))
    assert np.isfinite(ours).all()
    assert ours.min() >= 0
    assert ours.max() <= 1
    assert ulps(ours, exact)[x > -87].max() < 4
    # below, the true value is under 1.7e-38, where float32 begins to lose its digits
    assert np.abs(ours - exact)[x <= -87].max() < 2e-38


def test_tanh_is_right_to_a_few_units_of_the_last_place():
    x = numbers()
    ours = apply(lambda code, v: numerics.tanh(code, v), x).astype(np.float64)
    assert np.isfinite(ours).all()
    assert ulps(ours, np.tanh(x.astype(np.float64))).max() < 4
    assert np.signbit(ours).tolist() == np.signbit(x).tolist()


def test_exp_is_right_to_a_few_units_of_the_last_place():
    x = numbers()
    inside = np.abs(x) < numerics.LARGEST
    ours = apply(lambda code, v: numerics.exp(code, v), x).astype(np.float64)
    assert ulps(ours, np.exp(np.where(inside, x, 0).astype(np.float64)))[inside].max() < 4
    assert np.isfinite(ours).all()


@pytest.mark.parametrize("layer", [ops.Sigmoid(), ops.Tanh(), ops.ReLU(), ops.LeakyReLU(0.2)])
def test_nan_stays_nan(layer):
    x = numbers()
    x[::3] = np.nan
    ours = apply(lambda code, v: activation.value(code, layer, v), x)
    np.testing.assert_array_equal(np.isnan(ours), np.isnan(x))


@pytest.mark.parametrize("layer", [ops.Sigmoid(), ops.Tanh(), ops.ReLU(), ops.LeakyReLU(0.2)])
def test_slopes_are_those_of_the_operators(layer):
    x = numbers().clip(-50, 50)
    y = layer.value(x)
    dy = np.random.default_rng(0).normal(size=COUNT).astype(np.float32)
    ours = apply(lambda code, v: activation.slope(code, layer, code.constant(1), v), y)
    np.testing.assert_allclose(ours * dy, layer.slope(dy, y), rtol=1e-6, atol=1e-7)  # 1 - y² rounds near y = 1
