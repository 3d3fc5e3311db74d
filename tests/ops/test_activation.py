"""Activations against the reference and finite differences."""

import numpy as np
import pytest
from hypothesis import given, settings

import ops
from ops import reference
from tests.arrays import check_gradient, check_near, distinct, host, normal
from tests.strategies import DTYPES, PLANES

NAMES = ("sigmoid", "tanh", "relu", "leaky_relu")


@pytest.mark.parametrize("name", NAMES)
@given(shape=PLANES, dtype=DTYPES)
@settings(max_examples=20)
def test_activations_are_what_the_loops_say(xp, name, shape, dtype):
    x = 5 * normal(xp, 1, shape, dtype)
    check_near(getattr(ops, name)(x), getattr(reference, name)(host(x)), dtype)


@pytest.mark.parametrize("name", NAMES)
@given(shape=PLANES)
@settings(max_examples=20)
def test_activation_gradients_agree_with_finite_differences(xp, name, shape):
    function, gradient = getattr(ops, name), getattr(ops, f"{name}_grad")
    x = distinct(xp, 2, shape) / 7 + 0.05  # no number within the step of zero, where ReLU has its kink
    dy = normal(xp, 3, shape)
    check_gradient(lambda x: (dy * function(x)).sum(), x, gradient(dy, function(x)), 4)


@pytest.mark.parametrize("name", ["gelu", "silu"])
@given(shape=PLANES, dtype=DTYPES)
@settings(max_examples=20)
def test_activations_that_fall_and_rise_again_are_what_the_loops_say(xp, name, shape, dtype):
    function, gradient = getattr(ops, name), getattr(ops, f"{name}_grad")
    x = 5 * normal(xp, 1, shape, dtype)
    check_near(function(x), getattr(reference, name)(host(x)), dtype)
    x, dy = 2 * normal(xp, 2, shape), normal(xp, 3, shape)
    check_gradient(lambda x: (dy * function(x)).sum(), x, gradient(dy, x), 4)


@pytest.mark.parametrize("slope", [0.0, 0.2, 1.0])
def test_leaky_relu_takes_its_slope(xp, slope):
    x = distinct(xp, 1, (3, 4))
    y = ops.leaky_relu(x, slope)
    np.testing.assert_array_equal(host(y), np.where(host(x) > 0, host(x), slope * host(x)))
    dx = ops.leaky_relu_grad(xp.ones_like(x), ops.leaky_relu(x - 0.5, slope), slope)
    np.testing.assert_array_equal(host(dx), np.where(host(x) > 0.5, 1, slope))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_sigmoid_of_huge_numbers_is_finite_and_silent(xp, dtype):
    largest = np.finfo(dtype).max
    y = host(ops.sigmoid(xp.asarray(np.array([-largest, -1000, -50, 0, 50, 1000, largest], dtype))))
    assert y[3] == 0.5
    np.testing.assert_array_equal(y[4:], 1)
    assert (y[:2] < 1e-37).all()
    np.testing.assert_allclose(y[2], np.exp(-50.0), rtol=1e-5)  # small numbers keep their digits


@pytest.mark.parametrize("name", NAMES)
def test_not_a_number_is_passed_on(xp, name):
    assert np.isnan(host(getattr(ops, name)(xp.asarray([np.nan, 1.0]))))[0]


@pytest.mark.parametrize("name", NAMES)
def test_activations_leave_their_input_alone(xp, name):
    x = normal(xp, 1, (5, 5))
    before = host(x).copy()
    y = getattr(ops, name)(x)
    getattr(ops, f"{name}_grad")(x, y)
    np.testing.assert_array_equal(host(x), before)
