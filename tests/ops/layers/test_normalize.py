"""Pixels with mean and deviation taken out."""

import numpy as np
import pytest

import ops


def test_each_channel_has_its_own_mean_and_deviation():
    x = np.arange(16, dtype=np.float32).reshape(2, 2, 2, 2)
    y = ops.Normalize([1, 2.5], [2, 0.5])(x)
    assert y.dtype == np.float32
    np.testing.assert_array_equal(y[:, 0], (x[:, 0] - 1) / 2)
    np.testing.assert_array_equal(y[:, 1], (x[:, 1] - 2.5) * 2)
    np.testing.assert_array_equal(ops.Normalize((3,), (2,))(np.float64([[5]])), [[1]])


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
