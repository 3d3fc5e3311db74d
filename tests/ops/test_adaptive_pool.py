"""Adaptive average pooling against the loops of the reference and against finite differences."""

import numpy as np
import pytest
from hypothesis import given, settings

import ops
from ops import reference
from ops.errors import DtypeError, GeometryError, ShapeError
from tests.arrays import check_gradient, check_near, host, normal
from tests.strategies import DTYPES, PLANES, SEEDS, pairs


@given(x_shape=PLANES, size=pairs(1, 9), seed=SEEDS, dtype=DTYPES)
@settings(max_examples=60)
def test_it_is_what_the_loops_say(xp, x_shape, size, seed, dtype):
    x, dy = normal(xp, seed, x_shape, dtype), normal(xp, seed + 1, (*x_shape[:2], *size), dtype)
    check_near(ops.adaptive_avg_pool2d(x, size), reference.adaptive_avg_pool2d(host(x), size), dtype)
    dx = ops.adaptive_avg_pool2d_grad(dy, x.shape, size)
    check_near(dx, reference.adaptive_avg_pool2d_grad(host(dy), x.shape), dtype)


@given(x_shape=PLANES, size=pairs(1, 9), seed=SEEDS)
@settings(max_examples=60)
def test_its_gradient_agrees_with_finite_differences(xp, x_shape, size, seed):
    x, dy = normal(xp, seed, x_shape), normal(xp, seed + 1, (*x_shape[:2], *size))
    dx = ops.adaptive_avg_pool2d_grad(dy, x.shape, size)
    check_gradient(lambda x: (dy * ops.adaptive_avg_pool2d(x, size)).sum(), x, dx, seed)


def test_windows_share_numbers_where_the_output_does_not_divide_the_input():
    x = np.arange(7.0).reshape(1, 1, 1, 7)
    expected = [(0 + 1 + 2) / 3, (2 + 3 + 4) / 3, (4 + 5 + 6) / 3]
    np.testing.assert_allclose(ops.adaptive_avg_pool2d(x, (1, 3))[0, 0, 0], expected)
    np.testing.assert_array_equal(ops.adaptive_avg_pool2d(x[..., :2], (1, 5))[0, 0, 0], [0, 0, 0.5, 1, 1])


def test_an_example_pools_to_the_same_bits_in_any_company():
    x = normal(np, 1, (9, 3, 11, 8), np.float32)
    together = ops.adaptive_avg_pool2d(x, (4, 3))
    for n in range(9):
        np.testing.assert_array_equal(ops.adaptive_avg_pool2d(x[n : n + 1], (4, 3))[0], together[n])


X = np.ones((2, 3, 4, 5))


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: ops.adaptive_avg_pool2d(X[0], 2), ShapeError, r"x must have 4 axes \(n, c, h, w\), got 3"),
        (lambda: ops.adaptive_avg_pool2d(X.astype(int), 2), DtypeError, "x must be float32 or float64, got int64"),
        (lambda: ops.adaptive_avg_pool2d(X[:, :, :0], 2), ShapeError, "x must not be empty in any axis but the batch"),
        (lambda: ops.adaptive_avg_pool2d(X, (2, 0)), GeometryError, r"size must be >= 1 in both .*, got \(2, 0\)"),
        (lambda: ops.adaptive_avg_pool2d_grad(X, (3, 4, 5), 2), ShapeError, r"x_shape must be \(n, c, h, w\), got"),
        (lambda: ops.adaptive_avg_pool2d_grad(X, X.shape, 2), ShapeError, r"dy must have shape \(2, 3, 2, 2\), got"),
    ],
)
def test_wrong_arguments_are_named(call, error, message):
    with pytest.raises(error, match=message):
        call()
