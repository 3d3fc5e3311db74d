"""What the results of steps are compared by. Needs pytest."""

import numpy as np
import pytest

from ops.engines.base import StepResult
from ops.step_config import StepConfig


def assert_close(result: StepResult, expected: tuple[np.ndarray, np.ndarray, float], step_config: StepConfig) -> None:
    """A result is that of the same steps in float64, but for rounding."""
    theta, velocity, loss = expected
    # some 6e-8 of numbers around 1, in each of 20 steps, amplified a little from step to step
    np.testing.assert_allclose(result.replica.theta, theta, rtol=0, atol=2e-5)
    if step_config.momentum:
        np.testing.assert_allclose(result.replica.velocity, velocity, rtol=0, atol=5e-5)
    assert result.loss == pytest.approx(loss, rel=1e-5)


def assert_same_bits(first: StepResult, second: StepResult) -> None:
    """Two results are equal in every bit."""
    np.testing.assert_array_equal(first.replica.theta, second.replica.theta)
    np.testing.assert_array_equal(first.replica.velocity, second.replica.velocity)
    assert (first.loss, first.correct, first.examples) == (second.loss, second.correct, second.examples)
