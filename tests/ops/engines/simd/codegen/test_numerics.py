"""Exponentials, sigmoid and tanh on vectors, against float64, over all of float32."""

import numpy as np

from ops.engines.simd.codegen import numerics
from tests.ops.engines.simd.vectors import apply, numbers


def ulps(ours, exact):
    """How far off, in units of the last place of a float32 as large as the exact result."""
    smallest = np.finfo(np.float32).tiny
    return np.abs(ours - exact) / np.spacing(np.maximum(np.abs(exact), smallest).astype(np.float32))


def test_sigmoid_is_right_to_a_few_units_of_the_last_place():
    x = numbers()
    ours = apply(lambda code, v: numerics.sigmoid(code, v), x).astype(np.float64)
    with np.errstate(over="ignore"):
        exact = 1 / (1 + np.exp(-x.astype(np.float64)))
    assert np.isfinite(ours).all()
    assert ours.min() >= 0
    assert ours.max() <= 1
    assert ulps(ours, exact)[x > -87].max() < 4
    # below, the true value is under 1.7e-38, where float32 begins to lose its digits
    assert np.abs(ours - exact)[x <= -87].max() < 2e-38


def test_tanh_is_right_to_a_few_units_of_the_last_place():
    x = numbers()
    ours = apply(lambda code, v: numerics.tanh(code, v), x).astype(np.float64)
    assert np.isfinite(ours).all()
    assert ulps(ours, np.tanh(x.astype(np.float64))).max() < 4
    assert np.signbit(ours).tolist() == np.signbit(x).tolist()


def test_exp_is_right_to_a_few_units_of_the_last_place():
    x = numbers()
    inside = np.abs(x) < numerics.LARGEST
    ours = apply(lambda code, v: numerics.exp(code, v), x).astype(np.float64)
    assert ulps(ours, np.exp(np.where(inside, x, 0).astype(np.float64)))[inside].max() < 4
    assert np.isfinite(ours).all()
