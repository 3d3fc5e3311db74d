import numpy as np
import pytest

from service.rounds.strategies import Average, Progress
from service.rounds.strategies.diloco import DiLoCo
from service.rounds.strategies.fedavg import FedAvg
from tests.service.rounds.strategies.states import SIZE, drawn


@pytest.mark.parametrize(("lr", "momentum"), [(0.7, 0.9), (1.0, 0.9), (0.7, 0.0)])
def test_the_outer_optimizer_has_nesterov_momentum_on_the_averaged_displacement(lr: float, momentum: float):
    start, average = drawn()
    state = DiLoCo(7, lr, momentum).update(start, average)
    gradient = start.replica.theta - average.theta
    velocity = momentum * -start.outer.astype(np.float64) + gradient
    # one rounding to float32 of numbers near 1
    np.testing.assert_allclose(state.outer, -velocity, rtol=2e-7, atol=2e-7)
    expected = start.replica.theta - lr * (gradient + momentum * velocity)
    np.testing.assert_allclose(state.replica.theta, expected, rtol=2e-7, atol=2e-7)
    np.testing.assert_array_equal(state.replica.velocity, average.velocity)


def test_without_momentum_at_rate_1_it_is_fedavg_to_the_bit():
    start, average = drawn()
    plain, ours = FedAvg(7).update(start, average), DiLoCo(7, lr=1.0, momentum=0.0).update(start, average)
    for name in ("theta", "velocity"):
        np.testing.assert_array_equal(getattr(ours.replica, name), getattr(plain.replica, name))
    np.testing.assert_array_equal(ours.outer, plain.outer)


def test_it_begins_at_rest_and_averages_at_a_fixed_interval():
    strategy, (start, _) = DiLoCo(7, lr=0.7, momentum=0.9), drawn()
    assert not strategy.init(start.replica.theta).any()
    assert strategy.interval(Progress(3, 90)) == (7, False)


def test_the_outer_optimizer_is_the_one_of_pytorch():
    """theta <- theta - r * nesterov(-d), with PyTorch's own SGD doing the arithmetic."""
    torch = pytest.importorskip("torch", reason="PyTorch is a peer to compare with, not a dependency")
    strategy, rng = DiLoCo(1, lr=0.7, momentum=0.9), np.random.default_rng(5)
    state, _ = drawn()
    state = type(state)(state.replica, strategy.init(state.replica.theta))
    theta = torch.tensor(state.replica.theta, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.SGD([theta], lr=0.7, momentum=0.9, nesterov=True)
    for _ in range(4):
        mean = state.replica.theta + rng.normal(size=SIZE)
        theta.grad = torch.from_numpy(state.replica.theta.astype(np.float64) - mean)
        optimizer.step()
        state = strategy.update(state, Average(mean, state.replica.velocity))
        # four float32 roundings of numbers near 1
        np.testing.assert_allclose(state.replica.theta, theta.detach().numpy(), rtol=2e-6, atol=2e-6)
