"""Bilinear resizing."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import ops
from tests.arrays import check_gradient, check_near, host, normal
from tests.strategies import DTYPES, PLANES

SIZES = st.tuples(st.integers(1, 12), st.integers(1, 12))


@given(shape=PLANES, size=SIZES)
@settings(max_examples=30)
def test_resizing_gradient_agrees_with_finite_differences(xp, shape, size):
    x, dy = normal(xp, 1, shape), normal(xp, 2, (*shape[:2], *size))
    dx = ops.resize2d_grad(dy, shape, size)
    check_gradient(lambda x: (dy * ops.resize2d(x, size)).sum(), x, dx, 3)


@given(shape=PLANES, dtype=DTYPES)
@settings(max_examples=10)
def test_resizing_to_the_same_size_changes_nothing(xp, shape, dtype):
    x = normal(xp, 1, shape, dtype)
    check_near(ops.resize2d(x, shape[2:]), x, dtype)


def test_a_row_of_two_becomes_four_by_hand(xp):
    y = ops.resize2d(xp.asarray([[[[0.0, 4.0]]]]), (1, 4))
    np.testing.assert_array_equal(host(y), [[[[0, 1, 3, 4]]]])  # centres at -1/4 (edge), 1/4, 3/4, 5/4 (edge)


@given(shape=PLANES, size=SIZES)
@settings(max_examples=10)
def test_a_plain_image_stays_plain(xp, shape, size):
    np.testing.assert_allclose(host(ops.resize2d(xp.full(shape, 3.7), size)), 3.7, rtol=1e-14)


@pytest.mark.peers
@given(shape=PLANES, size=SIZES)
@settings(max_examples=50)
def test_resizing_is_what_pytorch_does(xp, shape, size):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    x = normal(xp, 1, shape)
    theirs = torch.nn.functional.interpolate(torch.tensor(host(x)), size=size, mode="bilinear", align_corners=False)
    check_near(ops.resize2d(x, size), theirs.numpy(), np.float64)
