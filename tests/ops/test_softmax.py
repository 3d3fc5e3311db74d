"""Probabilities from logits, against SciPy's formula written out and against numbers worked by hand."""

import numpy as np
import pytest

from ops.softmax import log_softmax, softmax


def test_probabilities_are_those_worked_by_hand() -> None:
    logits = np.log(np.array([[1.0, 2.0, 5.0], [4.0, 4.0, 2.0]], np.float32))
    expected = [[0.125, 0.25, 0.625], [0.4, 0.4, 0.2]]
    # float32 logits carry seven digits.
    np.testing.assert_allclose(softmax(logits), expected, rtol=1e-6)
    np.testing.assert_allclose(log_softmax(logits), np.log(expected), rtol=1e-6)


@pytest.mark.parametrize("shift", [-1e4, 1e4])
def test_logits_of_any_size_give_probabilities(shift: float) -> None:
    logits = np.array([[shift, shift + 1]], np.float32)
    np.testing.assert_allclose(softmax(logits).sum(axis=1), 1)
    assert np.isfinite(log_softmax(logits)).all()
