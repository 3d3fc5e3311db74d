"""The rule of stochastic gradient descent, by hand and as PyTorch has it."""

import numpy as np
import pytest

from ops.recipe import Recipe
from ops.update import sgd_update

RECIPES = [
    Recipe(),
    Recipe(weight_decay=0.1),
    Recipe(momentum=0.9),
    Recipe(momentum=0.5, nesterov=True),
    Recipe(momentum=0.9, weight_decay=0.01, nesterov=True),
]


@pytest.mark.parametrize("recipe", RECIPES, ids=str)
def test_updates_follow_the_recipes_formula(recipe):
    rng = np.random.default_rng(0)
    theta, velocity = rng.normal(size=6), rng.normal(size=6)
    expected, v = theta.copy(), velocity.copy()
    for rate in (0.1, 0.3):
        gradient = rng.normal(size=6)
        g = gradient + recipe.weight_decay * expected
        v = recipe.momentum * v + g
        expected = expected - rate * (g + recipe.momentum * v if recipe.nesterov else v)
        if not recipe.momentum:
            v = velocity
        sgd_update(theta, velocity, gradient, rate, recipe)
    np.testing.assert_allclose(theta, expected, rtol=1e-12)
    np.testing.assert_allclose(velocity, v, rtol=1e-12)


@pytest.mark.peers
@pytest.mark.parametrize("recipe", RECIPES, ids=str)
def test_updates_are_pytorchs(recipe):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    rng = np.random.default_rng(1)
    theta, velocity = rng.normal(size=6), np.zeros(6)
    parameter = torch.nn.Parameter(torch.tensor(theta))
    optimizer = torch.optim.SGD(
        [parameter], lr=0.1, momentum=recipe.momentum, weight_decay=recipe.weight_decay, nesterov=recipe.nesterov
    )
    for _ in range(5):
        gradient = rng.normal(size=6)
        parameter.grad = torch.tensor(gradient)
        optimizer.step()
        sgd_update(theta, velocity, gradient.copy(), 0.1, recipe)
    np.testing.assert_allclose(theta, parameter.detach().numpy(), rtol=1e-12)
