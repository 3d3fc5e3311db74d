"""Batch norm and group norm: by loops, by differences, as in PyTorch."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import ops
from ops import reference
from ops.layers import Context
from tests.arrays import check_gradient, check_near, normal
from tests.strategies import SEEDS

SHAPES = [(3, 4, 5, 2), (6, 4), (1, 6, 3, 3), (2, 1, 1, 1), (5, 3, 2)]


def arguments(shape: tuple[int, ...], dtype: type = np.float64, seed: int = 1) -> tuple[np.ndarray, ...]:
    """x around 3 with a deviation of 2, weight and bias."""
    x = 2 * normal(np, seed, shape, dtype) + dtype(3)
    return x, normal(np, seed + 1, shape[1:2], dtype), normal(np, seed + 2, shape[1:2], dtype)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_batch_norm_is_that_of_the_loops(shape, dtype):
    x, weight, bias = arguments(shape, dtype)
    dy = normal(np, 4, shape, dtype)
    y, mean, variance = ops.batch_norm(x, weight, bias)
    for ours, theirs in zip((y, mean, variance), reference.batch_norm(x, weight, bias), strict=True):
        check_near(ours, theirs, dtype)
    gradients = ops.batch_norm_grad(dy, x, weight, mean, variance)
    for ours, theirs in zip(gradients, reference.batch_norm_grad(dy, x, weight), strict=True):
        check_near(ours, theirs, dtype)
    past = normal(np, 5, shape[1:2], dtype), np.abs(normal(np, 6, shape[1:2], dtype))
    check_near(
        ops.batch_norm_inference(x, weight, bias, *past),
        reference.batch_norm_inference(x, weight, bias, *past),
        dtype,
    )


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("shape", "groups"), [((3, 4, 5, 2), 2), ((2, 6), 2), ((2, 6, 3, 3), 6), ((2, 3, 4, 4), 1)])
def test_group_norm_is_that_of_the_loops(shape, groups, dtype):
    x, weight, bias = arguments(shape, dtype)
    dy = normal(np, 4, shape, dtype)
    check_near(ops.group_norm(x, weight, bias, groups), reference.group_norm(x, weight, bias, groups), dtype)
    theirs = reference.group_norm_grad(dy, x, weight, groups)
    for ours, expected in zip(ops.group_norm_grad(dy, x, weight, groups), theirs, strict=True):
        check_near(ours, expected, dtype)


LAYERS = [ops.BatchNorm2D(), ops.BatchNorm2D(momentum=1, epsilon=0.1), ops.GroupNorm(1), ops.GroupNorm(4)]


@given(
    layer=st.sampled_from(LAYERS),
    shape=st.tuples(st.integers(2, 4), st.just(4), st.integers(1, 4), st.integers(1, 4)),
    training=st.booleans(),
    seed=SEEDS,
)
@settings(max_examples=60)
def test_the_gradients_agree_with_finite_differences(layer, shape, training, seed):
    x, weight, bias = arguments(shape, seed=seed)
    buffers = {"running_mean": bias + 3, "running_var": 1 + weight**2} if layer.buffer_shapes(shape[1:]) else {}
    context, dy = Context(training=training), normal(np, seed + 4, shape)

    def loss(x: np.ndarray, weight: np.ndarray, bias: np.ndarray) -> float:
        return float((dy * layer.forward(x, {"weight": weight, "bias": bias, **buffers}, context)[0]).sum())

    parameters = {"weight": weight, "bias": bias, **buffers}
    dx, gradients = layer.backward(dy, layer.forward(x, parameters, context)[1], parameters)
    # two numbers that lie close together have a large third derivative
    check_gradient(lambda x: loss(x, weight, bias), x, dx, seed, tolerance=1e-3)
    check_gradient(lambda weight: loss(x, weight, bias), weight, gradients["weight"], seed)
    check_gradient(lambda bias: loss(x, weight, bias), bias, gradients["bias"], seed)


def test_running_statistics_move_by_their_momentum_in_training_only():
    layer = ops.BatchNorm2D(momentum=0.25)
    x, weight, bias = arguments((3, 2, 4, 4))
    parameters = {"weight": weight, "bias": bias, "running_mean": np.ones(2), "running_var": np.full(2, 5.0)}
    _, gradients = layer.backward(x, layer.forward(x, parameters, Context(training=True))[1], parameters)
    np.testing.assert_allclose(gradients["running_mean"], 0.75 + 0.25 * x.mean(axis=(0, 2, 3)))
    np.testing.assert_allclose(gradients["running_var"], 3.75 + 0.25 * x.var(axis=(0, 2, 3), ddof=1))
    _, unmoved = layer.backward(x, layer.forward(x, parameters, Context())[1], parameters)
    np.testing.assert_array_equal(unmoved["running_mean"], parameters["running_mean"])
    np.testing.assert_array_equal(unmoved["running_var"], parameters["running_var"])


def test_a_step_with_one_number_a_channel_puts_out_the_bias_and_moves_nothing():
    layer, parameters = ops.BatchNorm2D(), {"weight": np.full(2, 3.0), "bias": np.array([1.0, -2.0])}
    parameters |= {"running_mean": np.array([4.0, 5.0]), "running_var": np.array([6.0, 7.0])}
    y, saved = layer.forward(np.array([[8.0, 9.0]]), parameters, Context(training=True))
    np.testing.assert_array_equal(y, [[1, -2]])
    dx, gradients = layer.backward(np.array([[1.0, 2.0]]), saved, parameters)
    np.testing.assert_array_equal(dx, [[0, 0]])
    for name, expected in {"weight": [0, 0], "bias": [1, 2], "running_mean": [4, 5], "running_var": [6, 7]}.items():
        np.testing.assert_array_equal(gradients[name], expected)


def test_equal_numbers_are_not_divided_by_zero():
    y, _, variance = ops.batch_norm(
        np.full((3, 1, 2, 2), 7, np.float32), np.ones(1, np.float32), np.ones(1, np.float32)
    )
    np.testing.assert_array_equal(y, np.ones((3, 1, 2, 2)))
    assert variance == 0


@pytest.mark.parametrize(
    ("layer", "shape", "message"),
    [
        (lambda: ops.BatchNorm2D(momentum=1.5), (), r"momentum must be in \[0, 1\), got 1.5"),
        (lambda: ops.BatchNorm2D(epsilon=0), (), "epsilon must be above 0"),
        (lambda: ops.GroupNorm(0), (), "groups must be an int >= 1, got 0"),
        (lambda: ops.GroupNorm(4), (6, 2, 2), "groups must divide the 6 channels, got 4"),
        (ops.BatchNorm2D, (6, 2), r"BatchNorm2D needs an input of shape \(c, h, w\) or \(units,\), got \(6, 2\)"),
    ],
)
def test_what_is_wrong_is_said(layer, shape, message):
    with pytest.raises(ops.OpsError, match=message):
        ops.Network("n", shape, (layer(),))


def test_arguments_that_do_not_fit_are_refused():
    x, weight, bias = arguments((2, 3, 4, 4))
    with pytest.raises(ops.ShapeError, match=r"must have shape \(3,\), got \(2,\)"):
        ops.batch_norm(x, weight[:2], bias)
    with pytest.raises(ops.ShapeError, match="at least one example"):
        ops.batch_norm(x[:0], weight, bias)
    with pytest.raises(ops.DtypeError, match="must be float64 like x"):
        ops.group_norm(x, weight.astype(np.float32), bias, 3)
    with pytest.raises(ops.GeometryError, match="groups must divide the 3 channels, got 2"):
        ops.group_norm(x, weight, bias, 2)
    assert ops.batch_norm_inference(x[:0], weight, bias, bias, weight**2).shape == (0, 3, 4, 4)
