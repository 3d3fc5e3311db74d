"""Losses against the reference and finite differences."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import ops
from ops import reference
from tests.arrays import check_gradient, check_near, host, normal
from tests.strategies import DTYPES, MATRICES

SMOOTHING = st.sampled_from([0.0, 0.1, 0.7])


def labels_for(xp, shape):
    return xp.asarray(np.random.default_rng(shape[0]).integers(0, shape[1], shape[0]))


def options_for(shape, smoothing, weighted):
    weights = np.random.default_rng(shape[1]).uniform(0.1, 4, shape[1]).tolist()
    return {"label_smoothing": smoothing, "class_weights": weights if weighted else ()}


@given(shape=MATRICES, smoothing=SMOOTHING, weighted=st.booleans(), dtype=DTYPES)
@settings(max_examples=30)
def test_cross_entropy_is_what_the_loops_say(xp, shape, smoothing, weighted, dtype):
    logits, labels = 3 * normal(xp, 1, shape, dtype), labels_for(xp, shape)
    options = options_for(shape, smoothing, weighted)
    loss, dlogits = ops.softmax_cross_entropy(logits, labels, **options)
    expected, gradient = reference.softmax_cross_entropy(host(logits), host(labels), **options)
    check_near(loss, np.asarray(expected), dtype)
    check_near(dlogits, gradient, dtype)


@given(shape=MATRICES, smoothing=SMOOTHING, weighted=st.booleans())
@settings(max_examples=30)
def test_cross_entropy_gradient_agrees_with_finite_differences(xp, shape, smoothing, weighted):
    logits, labels = normal(xp, 1, shape), labels_for(xp, shape)
    options = options_for(shape, smoothing, weighted)
    _, dlogits = ops.softmax_cross_entropy(logits, labels, **options)
    check_gradient(lambda z: ops.softmax_cross_entropy(z, labels, **options)[0], logits, dlogits, shape[1])


def test_weights_of_one_change_no_bit(xp):
    logits, labels = normal(xp, 1, (6, 5), np.float32), labels_for(xp, (6, 5))
    plain = ops.softmax_cross_entropy(logits, labels)
    weighted = ops.softmax_cross_entropy(logits, labels, class_weights=(1.0,) * 5)
    assert float(plain[0]) == float(weighted[0])
    np.testing.assert_array_equal(host(plain[1]), host(weighted[1]))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_cross_entropy_of_huge_logits_is_exact(xp, dtype):
    logits = xp.asarray(np.array([[1e30, 0, -1e30], [-1e4, 1e4, 0]], dtype))
    loss, dlogits = ops.softmax_cross_entropy(logits, xp.asarray([0, 2]))
    assert float(loss) == 5e3  # (0 + 1e4) / 2
    np.testing.assert_array_equal(host(dlogits), np.array([[0, 0, 0], [0, 0.5, -0.5]]))


def test_labels_of_any_integer_type_are_taken(xp):
    logits = normal(xp, 1, (4, 3))
    expected, _ = ops.softmax_cross_entropy(logits, xp.asarray([0, 2, 1, 1]))
    for dtype in (np.uint8, np.int8, np.int32, np.uint64):
        loss, _ = ops.softmax_cross_entropy(logits, xp.asarray(np.array([0, 2, 1, 1], dtype)))
        assert float(loss) == float(expected)


def test_the_mean_over_no_examples_is_zero(xp):
    loss, dlogits = ops.softmax_cross_entropy(normal(xp, 1, (0, 3)), xp.zeros(0, np.int64))
    assert float(loss) == 0
    assert dlogits.shape == (0, 3)


@given(shape=MATRICES, dtype=DTYPES)
@settings(max_examples=20)
def test_squared_error_is_what_the_loops_say(xp, shape, dtype):
    y, target = normal(xp, 1, shape, dtype), normal(xp, 2, shape, dtype)
    loss, dy = ops.squared_error(y, target)
    expected, gradient = reference.squared_error(host(y), host(target))
    check_near(loss, np.asarray(expected), dtype)
    check_near(dy, gradient, dtype)


def test_squared_error_gradient_agrees_with_finite_differences(xp):
    y, target = normal(xp, 1, (2, 3, 4)), normal(xp, 2, (2, 3, 4))
    check_gradient(lambda y: ops.squared_error(y, target)[0], y, ops.squared_error(y, target)[1], 3)
