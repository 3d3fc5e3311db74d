"""Our kernels one by one, on a CPU, against the operators."""

import numpy as np
import pytest

import ops
from ops.backends.cuda import launches
from ops.backends.cuda.lowering import lower
from ops.dropout import dropout_mask
from ops.optimizers.sgd import sgd_update
from ops.step_config import StepConfig
from tests.arrays import normal
from tests.ops.backends.cuda.host import HostDevice

SHAPES = [(3, 5, 4, 8), (2, 3, 3, 5), (7, 40), (150, 3), (1, 1)]


@pytest.mark.parametrize("relu", [False, True])
@pytest.mark.parametrize("shape", SHAPES)
def test_a_bias_is_added_along_the_channels(shape, relu):
    y, bias = normal(np, 1, shape, np.float32), normal(np, 2, shape[-1:], np.float32)
    expected = np.maximum(y + bias, 0) if relu else y + bias
    launches.add_bias(HostDevice(), y, bias, relu=relu)
    np.testing.assert_array_equal(y, expected)


@pytest.mark.parametrize("relu", [False, True])
@pytest.mark.parametrize("shape", [*SHAPES, (70_000, 4)])
def test_the_gradient_of_a_bias_and_relu(shape, relu):
    dy, y = normal(np, 1, shape, np.float32), normal(np, 2, shape, np.float32)
    db = np.full(shape[-1:], np.nan, np.float32)
    dz = launches.bias_gradient(HostDevice(order=3), dy, y, db, relu=relu)
    expected = dy * (y > 0) if relu else dy
    np.testing.assert_array_equal(dz, expected)
    total = expected.reshape(-1, shape[-1]).astype(np.float64).sum(axis=0)
    # a sum of n numbers near 1, each partial sum of some hundred rounded
    np.testing.assert_allclose(db, total, rtol=0, atol=1e-6 * np.sqrt(dy.size / shape[-1]) * 10)


POOLS = [
    {"size": 2},
    {"size": 3, "stride": 2},
    {"size": (3, 2), "stride": (1, 3), "padding": (1, 0)},
    {"size": 3, "stride": 2, "padding": 1, "ceil_mode": True},
    {"size": 2, "stride": 3, "ceil_mode": True},
]


@pytest.mark.parametrize("pool", POOLS)
@pytest.mark.parametrize("channels", [3, 8])
@pytest.mark.parametrize("kind", [ops.MaxPool2D, ops.AvgPool2D])
def test_pooling_and_its_gradient(kind, channels, pool):
    network = ops.Network("pool", (channels, 9, 8), (kind(**pool),))
    (stage,) = lower(network, HostDevice(order=1))
    x = normal(np, 1, (2, channels, 9, 8), np.float32)
    layer = network.layers[0]
    expected, kept = layer.forward(x, {}, ops.layers.Context())
    y, saved = stage.forward(np.ascontiguousarray(x.transpose(0, 2, 3, 1)), ({},), ops.layers.Context())
    np.testing.assert_allclose(y.transpose(0, 3, 1, 2), expected, rtol=1e-6)
    dy = normal(np, 2, expected.shape, np.float32)
    dx_expected, _ = layer.backward(dy, kept, {})
    dx = stage.backward(np.ascontiguousarray(dy.transpose(0, 2, 3, 1)), saved, ({},), ({},))
    np.testing.assert_allclose(dx.transpose(0, 3, 1, 2), dx_expected, rtol=0, atol=1e-6)


def test_the_largest_of_equals_is_the_first_and_nan_is_above_all():
    x = np.zeros((1, 2, 2, 4), np.float32)
    x[0, 1, 0, 1], x[0, 0, 1, 2], x[0, :, :, 3] = 5, np.nan, -np.inf
    pool = launches.Pool((2, 2), (1, 1), (2, 2), (2, 2), (0, 0))
    y, argmax = launches.max_pool(HostDevice(), x, pool)
    np.testing.assert_array_equal(y.ravel(), [0, 5, np.nan, -np.inf])
    np.testing.assert_array_equal(argmax.ravel(), [0, 2, 1, 0])


@pytest.mark.parametrize(("before", "after"), [((7, 9), (12, 5)), ((1, 4), (3, 4)), ((28, 28), (64, 64))])
def test_images_are_resized_as_the_operator_does(before, after):
    x = normal(np, 1, (2, 3, *before), np.float32)
    y = launches.resize(HostDevice(), np.ascontiguousarray(x.transpose(0, 2, 3, 1)), after)
    np.testing.assert_allclose(y.transpose(0, 3, 1, 2), ops.resize2d(x, after), rtol=0, atol=2e-6)


@pytest.mark.parametrize("shape", [(4, 30), (3, 5, 6, 7)])
def test_dropout_masks_are_those_of_the_operator(shape):
    x = normal(np, 1, shape, np.float32)
    examples = np.array([70_000, 0, 12, 5], np.int32)[: shape[0]]
    as_stored = np.ascontiguousarray(x.transpose(0, 2, 3, 1)) if x.ndim == 4 else x
    y = launches.dropout(HostDevice(), as_stored, 0.3, examples, seed=2**40 + 5, epoch=9, position=4)
    expected = x * dropout_mask(x, 0.3, examples, 2**40 + 5, 9, 4)
    np.testing.assert_array_equal(y.transpose(0, 3, 1, 2) if x.ndim == 4 else y, expected)


@pytest.mark.parametrize("momentum", [0, 0.9])
@pytest.mark.parametrize("nesterov", [False, True])
def test_an_update_in_one_pass_is_the_rule(momentum, nesterov):
    step_config = StepConfig(momentum=momentum, nesterov=nesterov and momentum > 0, weight_decay=0.01)
    theta, velocity, gradient = (normal(np, seed, (1001,), np.float32) for seed in (1, 2, 3))
    expected = theta.copy(), velocity.copy()
    sgd_update(*expected, gradient.copy(), 0.1, step_config)
    launches.sgd(HostDevice(), theta, velocity, gradient, np.full(1, 0.1, np.float32), step_config)
    np.testing.assert_allclose(theta, expected[0], rtol=0, atol=1e-6)
    np.testing.assert_allclose(velocity, expected[1], rtol=0, atol=1e-6)
