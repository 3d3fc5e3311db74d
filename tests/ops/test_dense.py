"""The fully connected operator against the reference and finite differences."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

import ops
from ops import reference
from tests.arrays import check_gradient, check_near, host, normal
from tests.strategies import DTYPES, MATRICES


@given(shape=MATRICES, units=st.integers(1, 6), bias=st.booleans(), dtype=DTYPES)
@settings(max_examples=30)
def test_dense_and_its_gradients_are_what_the_loops_say(xp, shape, units, bias, dtype):
    x, w = normal(xp, 1, shape, dtype), normal(xp, 2, (units, shape[1]), dtype)
    b = normal(xp, 3, (units,), dtype) if bias else None
    y = ops.dense(x, w, b)
    check_near(y, reference.dense(host(x), host(w), None if b is None else host(b)), dtype)
    dy = normal(xp, 4, y.shape, dtype)
    for ours, theirs in zip(ops.dense_grad(dy, x, w), reference.dense_grad(host(dy), host(x), host(w)), strict=True):
        check_near(ours, theirs, dtype)


@given(shape=MATRICES, units=st.integers(1, 6))
@settings(max_examples=30)
def test_dense_gradients_agree_with_finite_differences(xp, shape, units):
    x, w, b, dy = (normal(xp, i, s) for i, s in enumerate((shape, (units, shape[1]), (units,), (shape[0], units))))
    dx, dw, db = ops.dense_grad(dy, x, w)
    check_gradient(lambda x: (dy * ops.dense(x, w, b)).sum(), x, dx, 1)
    check_gradient(lambda w: (dy * ops.dense(x, w, b)).sum(), w, dw, 2)
    check_gradient(lambda b: (dy * ops.dense(x, w, b)).sum(), b, db, 3)


def test_the_input_gradient_of_dense_can_be_spared(xp):
    x, w, dy = normal(xp, 1, (3, 4)), normal(xp, 2, (2, 4)), normal(xp, 3, (3, 2))
    dx, dw, _ = ops.dense_grad(dy, x, w, input_gradient=False)
    assert dx is None
    np.testing.assert_array_equal(host(dw), host(ops.dense_grad(dy, x, w)[1]))
