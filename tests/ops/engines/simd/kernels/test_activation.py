"""Activations on vectors do what the operators do."""

import numpy as np
import pytest

import ops
from ops.engines.simd.kernels import kernels_of
from ops.network import Network
from tests.ops.engines.simd.vectors import COUNT, apply, numbers


def kernels_of_layer(layer):
    return kernels_of(Network("one", (4,), (layer,)))[0]


@pytest.mark.parametrize("layer", [ops.Sigmoid(), ops.Tanh(), ops.ReLU(), ops.LeakyReLU(0.2)])
def test_nan_stays_nan(layer):
    x = numbers()
    x[::3] = np.nan
    ours = apply(lambda code, v: kernels_of_layer(layer).value(code, v), x)
    np.testing.assert_array_equal(np.isnan(ours), np.isnan(x))


@pytest.mark.parametrize("layer", [ops.Sigmoid(), ops.Tanh(), ops.ReLU(), ops.LeakyReLU(0.2)])
def test_slopes_are_those_of_the_operators(layer):
    x = numbers().clip(-50, 50)
    y = layer.value(x)
    dy = np.random.default_rng(0).normal(size=COUNT).astype(np.float32)
    ours = apply(lambda code, v: kernels_of_layer(layer).slope(code, code.constant(1), v), y)
    np.testing.assert_allclose(ours * dy, layer.slope(dy, y), rtol=1e-6, atol=1e-7)  # 1 - y² rounds near y = 1
