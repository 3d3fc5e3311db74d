"""AdamW, Lion and the clipping of gradients: by hand, and as PyTorch has them."""

import numpy as np
import pytest

from ops.network import Network
from ops.optimizers.adamw import adamw_update
from ops.optimizers.clipping import clip_gradient
from ops.optimizers.lion import lion_update
from ops.step_config import StepConfig
from ops.testing.cases import BLOCKS
from ops.update import take_step

ADAMW = [
    StepConfig(optimizer="adamw"),
    StepConfig(optimizer="adamw", weight_decay=0.1, beta1=0.8, beta2=0.9, epsilon=1e-3),
]
LION = StepConfig(optimizer="lion", weight_decay=0.1)


@pytest.mark.peers
@pytest.mark.parametrize("step_config", ADAMW, ids=["plain", "decayed"])
def test_adamw_is_pytorchs(step_config):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    rng = np.random.default_rng(1)
    theta, state = rng.normal(size=6), np.zeros(13)
    parameter = torch.nn.Parameter(torch.tensor(theta))
    options = {"betas": step_config.betas, "eps": step_config.epsilon, "weight_decay": step_config.weight_decay}
    optimizer = torch.optim.AdamW([parameter], lr=0.1, **options)
    for rate in (0.1, 0.1, 0.03, 0.2, 0.1):
        gradient = rng.normal(size=6)
        parameter.grad = torch.tensor(gradient)
        optimizer.param_groups[0]["lr"] = rate
        optimizer.step()
        adamw_update(theta, state, gradient.copy(), rate, step_config)
    np.testing.assert_allclose(theta, parameter.detach().numpy(), rtol=1e-12)
    assert state[-1] == 5


def test_adamws_first_step_is_as_long_as_the_rate():
    theta, state = np.float32([1, 1, 1]), np.zeros(7, np.float32)
    adamw_update(theta, state, np.float32([1e-3, -20, 0]), 0.25, ADAMW[0])
    # epsilon is 1e-5 of the smallest gradient
    np.testing.assert_allclose(theta, [0.75, 1.25, 1], rtol=1e-5)
    np.testing.assert_allclose(state, [1e-4, -2, 0, 1e-9, 0.4, 0, 1], rtol=1e-5)
    assert theta.dtype == state.dtype == np.float32


def test_lion_follows_the_papers_program():
    rng = np.random.default_rng(2)
    theta, velocity = rng.normal(size=6), np.zeros(6)
    expected, m = theta.copy(), velocity.copy()
    for rate in (0.1, 0.02, 0.3):
        gradient = rng.normal(size=6)
        update = np.sign(0.9 * m + 0.1 * gradient)
        m = 0.99 * m + 0.01 * gradient
        expected = expected - rate * (update + 0.1 * expected)
        lion_update(theta, velocity, gradient, rate, LION)
    np.testing.assert_allclose(theta, expected, rtol=1e-12)
    np.testing.assert_allclose(velocity, m, rtol=1e-12)


@pytest.mark.peers
@pytest.mark.parametrize("longest", [0.5, 1e3])
def test_gradients_are_clipped_as_pytorch_clips_them(longest):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    gradient = np.random.default_rng(3).normal(size=50).astype(np.float32)
    parts = [torch.nn.Parameter(torch.zeros(20)), torch.nn.Parameter(torch.zeros(30))]
    for part, mine in zip(parts, (gradient[:20], gradient[20:]), strict=True):
        part.grad = torch.tensor(mine)
    torch.nn.utils.clip_grad_norm_(parts, longest)
    clip_gradient(gradient, longest)
    np.testing.assert_allclose(gradient, np.concatenate([part.grad.numpy() for part in parts]), rtol=1e-6)


def test_a_gradient_of_zeros_and_one_without_a_limit_stay_as_they_are():
    zeros, long = np.zeros(3), np.full(3, 1e9)
    clip_gradient(zeros, 1)
    clip_gradient(long, 0)
    assert not zeros.any()
    assert (long == 1e9).all()


@pytest.mark.parametrize("step_config", [*ADAMW, LION, StepConfig(clip_norm=0.1)], ids=str)
def test_a_step_leaves_buffers_to_what_the_network_says(step_config):
    network: Network = BLOCKS["batch norm"]
    theta, gradient = network.init_parameters(0), np.random.default_rng(1).normal(size=network.size)
    gradient[network.num_parameters :] = 1e6  # would shorten every other gradient, if it counted
    start, asked = theta.copy(), gradient.astype(np.float32)
    velocity = np.zeros(step_config.state_size(network.num_parameters), np.float32)
    take_step(network, theta, velocity, asked, 0.01, step_config)
    np.testing.assert_array_equal(theta[network.num_parameters :], 1e6)
    moved = np.abs(theta - start)[: network.num_parameters]
    assert moved.max() > 1e-4
    assert moved.max() < 0.02
