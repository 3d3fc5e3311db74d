"""Pooling against the loops of the reference and against finite differences."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import ops
from ops import reference
from tests.arrays import check_gradient, check_near, distinct, host, normal
from tests.strategies import DTYPES, pool_cases


@given(case=pool_cases(), dtype=DTYPES)
@settings(max_examples=60)
def test_max_pooling_is_what_the_loops_say(xp, case, dtype):
    x = normal(xp, case.seed, case.x_shape, dtype)
    y, argmax = ops.max_pool2d(x, case.size, **case.window)
    expected, places = reference.max_pool2d(host(x), case.size, **case.window)
    check_near(y, expected, dtype)
    dy = normal(xp, case.seed + 1, y.shape, dtype)
    dx = ops.max_pool2d_grad(dy, argmax, x.shape, case.size, **case.window)
    check_near(dx, reference.max_pool2d_grad(host(dy), places, x.shape), dtype)


@given(case=pool_cases(), dtype=DTYPES, include=st.booleans())
@settings(max_examples=60)
def test_average_pooling_is_what_the_loops_say(xp, case, dtype, include):
    window = case.window | {"count_include_pad": include}
    x = normal(xp, case.seed, case.x_shape, dtype)
    y = ops.avg_pool2d(x, case.size, **window)
    check_near(y, reference.avg_pool2d(host(x), case.size, **window), dtype)
    dy = normal(xp, case.seed + 1, y.shape, dtype)
    dx = ops.avg_pool2d_grad(dy, x.shape, case.size, **window)
    check_near(dx, reference.avg_pool2d_grad(host(dy), x.shape, case.size, **window), dtype)


@given(case=pool_cases())
@settings(max_examples=60)
def test_max_pooling_gradient_agrees_with_finite_differences(xp, case):
    x = distinct(xp, case.seed, case.x_shape)
    y, argmax = ops.max_pool2d(x, case.size, **case.window)
    dy = normal(xp, case.seed, y.shape)
    dx = ops.max_pool2d_grad(dy, argmax, x.shape, case.size, **case.window)
    check_gradient(lambda x: (dy * ops.max_pool2d(x, case.size, **case.window)[0]).sum(), x, dx, case.seed)


@given(case=pool_cases(), include=st.booleans())
@settings(max_examples=60)
def test_average_pooling_gradient_agrees_with_finite_differences(xp, case, include):
    window = case.window | {"count_include_pad": include}
    x = normal(xp, case.seed, case.x_shape)
    dy = normal(xp, case.seed, ops.avg_pool2d(x, case.size, **window).shape)
    dx = ops.avg_pool2d_grad(dy, x.shape, case.size, **window)
    check_gradient(lambda x: (dy * ops.avg_pool2d(x, case.size, **window)).sum(), x, dx, case.seed)


def test_max_pooling_pads_with_minus_infinity(xp):
    x = -1 - xp.asarray(np.random.default_rng(0).random((1, 1, 4, 4)))
    y, _ = ops.max_pool2d(x, 3, padding=1, stride=1)
    assert float(y.max()) < -1


def test_of_equal_numbers_the_first_gets_the_gradient(xp):
    x = xp.asarray([[[[2.0, 7.0], [7.0, 7.0]]]])
    y, argmax = ops.max_pool2d(x, 2)
    dx = ops.max_pool2d_grad(xp.full_like(y, 3.0), argmax, x.shape, 2)
    np.testing.assert_array_equal(host(dx), [[[[0, 3], [0, 0]]]])


@pytest.mark.parametrize("place", [0, 3, 8])
def test_not_a_number_is_passed_on_by_max_pooling(xp, place):
    x = normal(xp, 0, (1, 1, 3, 3))
    x.ravel()[place] = np.nan
    y, _ = ops.max_pool2d(x, 3)
    assert np.isnan(host(y)).all()


def test_minus_infinity_may_be_pooled(xp):
    x = xp.full((1, 1, 2, 2), -np.inf)
    y, argmax = ops.max_pool2d(x, 2)
    assert host(y).tolist() == [[[[-np.inf]]]]
    dx = ops.max_pool2d_grad(xp.ones_like(y), argmax, x.shape, 2)
    assert float(dx.sum()) == 1.0


@given(plane=st.tuples(st.integers(1, 20), st.integers(1, 20)))
@settings(max_examples=20)
def test_global_pooling_takes_the_whole_plane(xp, plane):
    x = normal(xp, 1, (2, 3, *plane))
    for layer, expected in (
        (ops.AvgPool2D(global_pool=True), host(x).mean(axis=(2, 3))),
        (ops.MaxPool2D(global_pool=True), host(x).max(axis=(2, 3))),
    ):
        check_near(layer(x), expected[:, :, None, None], np.float64)
        assert layer.output_shape(x.shape[1:]) == (3, 1, 1)


def test_no_examples_give_no_outputs(xp):
    x = normal(xp, 1, (0, 2, 5, 5))
    y, argmax = ops.max_pool2d(x, 2)
    assert y.shape == (0, 2, 2, 2)
    assert ops.max_pool2d_grad(y, argmax, x.shape, 2).shape == x.shape
    assert ops.avg_pool2d_grad(ops.avg_pool2d(x, 2), x.shape, 2).shape == x.shape
