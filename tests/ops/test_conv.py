"""Convolution against the loops of the reference and against finite differences."""

import numpy as np
import pytest
from hypothesis import given, settings

import ops
from ops import conv, reference
from tests.arrays import check_gradient, check_near, host, normal
from tests.strategies import DTYPES, ConvCase, conv_cases


def arguments(xp, case: ConvCase, dtype):
    x, w = normal(xp, case.seed, case.x_shape, dtype), normal(xp, case.seed + 1, case.w_shape, dtype)
    return x, w, normal(xp, case.seed + 2, case.w_shape[:1], dtype) if case.bias else None


@given(case=conv_cases(), dtype=DTYPES)
@settings(max_examples=60)
def test_convolution_is_what_the_loops_say(xp, case, dtype):
    x, w, b = arguments(xp, case, dtype)
    y = ops.conv2d(x, w, b, **case.window)
    check_near(y, reference.conv2d(host(x), host(w), None if b is None else host(b), **case.window), dtype)


@given(case=conv_cases(), dtype=DTYPES)
@settings(max_examples=60)
def test_convolution_gradients_are_what_the_loops_say(xp, case, dtype):
    x, w, b = arguments(xp, case, dtype)
    dy = normal(xp, case.seed + 3, ops.conv2d(x, w, b, **case.window).shape, dtype)
    gradients = ops.conv2d_grad(dy, x, w, **case.window)
    for ours, theirs in zip(gradients, reference.conv2d_grad(host(dy), host(x), host(w), **case.window), strict=True):
        check_near(ours, theirs, dtype)


@given(case=conv_cases())
@settings(max_examples=60)
def test_convolution_gradients_agree_with_finite_differences(xp, case):
    x, w, _ = arguments(xp, case, np.float64)
    b = normal(xp, case.seed + 2, case.w_shape[:1])
    dy = normal(xp, case.seed + 3, ops.conv2d(x, w, b, **case.window).shape)
    dx, dw, db = ops.conv2d_grad(dy, x, w, **case.window)
    check_gradient(lambda x: (dy * ops.conv2d(x, w, b, **case.window)).sum(), x, dx, case.seed)
    check_gradient(lambda w: (dy * ops.conv2d(x, w, b, **case.window)).sum(), w, dw, case.seed)
    check_gradient(lambda b: (dy * ops.conv2d(x, w, b, **case.window)).sum(), b, db, case.seed)


@pytest.mark.parametrize("limit", [1, 2000, 2**30])
def test_how_many_examples_are_laid_out_at_a_time_does_not_matter(xp, monkeypatch, limit):
    x, w = normal(xp, 1, (7, 2, 6, 5)), normal(xp, 2, (3, 2, 3, 2))
    dy = normal(xp, 3, (7, 3, 4, 4))
    monkeypatch.setattr(conv, "CHUNK_BYTES", {"numpy": limit, "cupy": limit})
    check_near(ops.conv2d(x, w), reference.conv2d(host(x), host(w)), np.float64)
    for ours, theirs in zip(ops.conv2d_grad(dy, x, w), reference.conv2d_grad(host(dy), host(x), host(w)), strict=True):
        check_near(ours, theirs, np.float64)


def test_views_with_odd_strides_are_taken_as_they_are(xp):
    big = normal(xp, 4, (5, 9, 10, 4))
    x = big.transpose(0, 3, 1, 2)[::2, :, ::-1, 1:]
    w = normal(xp, 5, (2, 3, 4, 4)).transpose(0, 2, 1, 3)[:, :, ::-1]
    check_near(ops.conv2d(x, w), reference.conv2d(host(x), host(w)), np.float64)


def test_the_input_gradient_can_be_spared(xp):
    x, w, dy = normal(xp, 1, (2, 2, 5, 5)), normal(xp, 2, (3, 2, 2, 2)), normal(xp, 3, (2, 3, 4, 4))
    dx, dw, db = ops.conv2d_grad(dy, x, w, input_gradient=False)
    _, same_dw, same_db = ops.conv2d_grad(dy, x, w)
    assert dx is None
    np.testing.assert_array_equal(host(dw), host(same_dw))
    np.testing.assert_array_equal(host(db), host(same_db))


def test_no_examples_give_no_outputs_and_zero_gradients(xp):
    x, w = normal(xp, 1, (0, 2, 5, 5)), normal(xp, 2, (3, 2, 2, 2))
    y = ops.conv2d(x, w)
    assert y.shape == (0, 3, 4, 4)
    dx, dw, db = ops.conv2d_grad(y, x, w)
    assert dx.shape == x.shape
    assert not host(dw).any()
    assert not host(db).any()


def test_arguments_are_left_as_they_were(xp):
    x, w, b, dy = (normal(xp, 1, s) for s in ((2, 2, 5, 5), (3, 2, 2, 2), (3,), (2, 3, 4, 4)))
    before = [host(a).copy() for a in (x, w, b, dy)]
    ops.conv2d(x, w, b)
    ops.conv2d_grad(dy, x, w)
    for array, copy in zip((x, w, b, dy), before, strict=True):
        np.testing.assert_array_equal(host(array), copy)
