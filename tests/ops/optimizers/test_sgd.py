"""The rule of stochastic gradient descent, by hand and as PyTorch has it."""

import numpy as np
import pytest

from ops.optimizers.sgd import sgd_update
from ops.step_config import StepConfig

STEP_CONFIGS = [
    StepConfig(),
    StepConfig(weight_decay=0.1),
    StepConfig(momentum=0.9),
    StepConfig(momentum=0.5, nesterov=True),
    StepConfig(momentum=0.9, weight_decay=0.01, nesterov=True),
]


@pytest.mark.parametrize("step_config", STEP_CONFIGS, ids=str)
def test_updates_follow_the_recipes_formula(step_config):
    rng = np.random.default_rng(0)
    theta, velocity = rng.normal(size=6), rng.normal(size=6)
    expected, v = theta.copy(), velocity.copy()
    for rate in (0.1, 0.3):
        gradient = rng.normal(size=6)
        g = gradient + step_config.weight_decay * expected
        v = step_config.momentum * v + g
        expected = expected - rate * (g + step_config.momentum * v if step_config.nesterov else v)
        if not step_config.momentum:
            v = velocity
        sgd_update(theta, velocity, gradient, rate, step_config)
    np.testing.assert_allclose(theta, expected, rtol=1e-12)
    np.testing.assert_allclose(velocity, v, rtol=1e-12)


@pytest.mark.peers
@pytest.mark.parametrize("step_config", STEP_CONFIGS, ids=str)
def test_updates_are_pytorchs(step_config):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    rng = np.random.default_rng(1)
    theta, velocity = rng.normal(size=6), np.zeros(6)
    parameter = torch.nn.Parameter(torch.tensor(theta))
    optimizer = torch.optim.SGD(
        [parameter],
        lr=0.1,
        momentum=step_config.momentum,
        weight_decay=step_config.weight_decay,
        nesterov=step_config.nesterov,
    )
    for _ in range(5):
        gradient = rng.normal(size=6)
        parameter.grad = torch.tensor(gradient)
        optimizer.step()
        sgd_update(theta, velocity, gradient.copy(), 0.1, step_config)
    np.testing.assert_allclose(theta, parameter.detach().numpy(), rtol=1e-12)
