"""Pixels with mean and deviation taken out."""

import numpy as np
import pytest

import ops
from ops.engines import build, choose


def test_each_channel_has_its_own_mean_and_deviation():
    x = np.arange(16, dtype=np.float32).reshape(2, 2, 2, 2)
    y = ops.Normalize([1, 2.5], [2, 0.5])(x)
    assert y.dtype == np.float32
    np.testing.assert_array_equal(y[:, 0], (x[:, 0] - 1) / 2)
    np.testing.assert_array_equal(y[:, 1], (x[:, 1] - 2.5) * 2)
    np.testing.assert_array_equal(ops.Normalize((3,), (2,))(np.float64([[5]])), [[1]])


def test_without_numbers_it_has_shapes_and_computes_nothing():
    network = ops.Network("n", (3, 4, 4), (ops.Normalize(), ops.Flatten(), ops.Normalize()))
    assert network.shapes[-1] == (48,)
    x = np.ones((2, 3, 4, 4), np.float32)
    with pytest.raises(ops.ShapeError, match="Normalize needs means and deviations: those of the data set, or numbers"):
        network.layers[0](x)
    with pytest.raises(ops.ShapeError, match="Normalize needs means and deviations"):
        build(choose(network, ops.StepConfig(), device="cpu"), network, ops.StepConfig())


def test_the_simd_engine_has_kernels_for_it_with_the_bits_of_the_array_engine():
    layers = (ops.Normalize((0.2, 0.3), (0.4, 0.5)), ops.Flatten())
    network, images = ops.Network("n", (2, 3, 3), layers), np.arange(90, dtype=np.uint8).reshape(5, 2, 3, 3)
    choice = choose(network, ops.StepConfig(), device="cpu")
    assert choice.engine == "simd"
    ours = build(choice, network, ops.StepConfig()).predict(np.empty(0, np.float32), images)
    np.testing.assert_array_equal(ours, layers[0](images * np.float32(1 / 255)).reshape(5, -1))


@pytest.mark.parametrize(
    ("means", "deviations", "message"),
    [
        ((0.5,), (0,), "deviations must be finite numbers above 0, got 0"),
        ((float("nan"),), (1,), "means must be finite numbers, got nan"),
        (("0.5",), (1,), "means must be finite numbers, got '0.5'"),
        ((0.5, 0.5), (1,), "means and deviations must be as many, got 2 and 1"),
        ((0.5, 0.5), (1, 1), r"Normalize with 2 means can't take an input of shape \(3, 4, 4\)"),
    ],
)
def test_what_is_wrong_is_said(means, deviations, message):
    with pytest.raises(ops.OpsError, match=message):
        ops.Network("n", (3, 4, 4), (ops.Normalize(means, deviations),))
