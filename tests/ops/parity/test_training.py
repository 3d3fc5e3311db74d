"""Several steps of training, running statistics and predictions beside PyTorch, for networks with norms and blocks."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import ops
from ops.engines.array import ArrayEngine
from ops.engines.base import Replica
from ops.testing.cases import BLOCKS, pictures, steps
from tests.arrays import normal
from tests.ops.parity.errors import Largest
from tests.ops.parity.models import as_torch, flat
from tests.strategies import SEEDS

torch = pytest.importorskip("torch", reason="PyTorch is not installed")
pytestmark = pytest.mark.peers
CASES = 100

WITHOUT_DROPOUT = {
    name: network
    for name, network in BLOCKS.items()
    if "Dropout" not in str(network)  # PyTorch's masks are others
}
TOY = ops.Network(
    "toy",
    (1, 8, 8),
    (
        *(ops.Conv2D(4, 3, padding=1), ops.BatchNorm2D(), ops.ReLU()),
        ops.Residual(
            (ops.Conv2D(6, 3, stride=2, padding=1, bias=False), ops.BatchNorm2D()), (ops.Conv2D(6, 1, stride=2),)
        ),
        *(ops.ReLU(), ops.Conv2D(6, 3, groups=6, padding=1), ops.GroupNorm(2)),
        *(ops.AvgPool2D(global_pool=True), ops.Flatten(), ops.Dense(4)),
    ),
)
NETWORKS = WITHOUT_DROPOUT | {"toy": TOY}


@pytest.mark.parametrize("name", list(NETWORKS))
def test_steps_lead_where_pytorchs_lead(name: str, report: Callable[[str], None]) -> None:
    network = NETWORKS[name]
    step_config = ops.StepConfig(momentum=0.9, nesterov=True, weight_decay=1e-2, label_smoothing=0.1)
    theta, (images, labels) = network.init_parameters(2), pictures(network)
    plan = steps(16, 16, 7, 12, 90, 2)
    engine = ArrayEngine(network, step_config)
    data = engine.load(images, labels)
    result = engine.run(Replica(theta, np.zeros(network.num_parameters, np.float32)), data, plan)

    model = as_torch(network, theta)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, nesterov=True, weight_decay=1e-2)
    for start, stop, rate in zip(plan.offsets, plan.offsets[1:], plan.rates, strict=False):
        batch = plan.examples[start:stop]
        optimizer.param_groups[0]["lr"] = float(rate)
        optimizer.zero_grad()
        logits = model(torch.tensor(images[batch] / np.float32(255))).reshape(len(batch), -1)
        torch.nn.functional.cross_entropy(
            logits, torch.tensor(labels[batch].astype(int)), label_smoothing=0.1
        ).backward()
        optimizer.step()

    # six steps, each rounded to 6e-8 of numbers around 1; batch norm divides by small deviations
    np.testing.assert_allclose(result.replica.theta, flat(network, model), rtol=0, atol=2e-5)
    assert np.abs(result.replica.theta - theta).max() > 0.05
    model.eval()
    with torch.no_grad():
        theirs = model(torch.tensor(images / np.float32(255))).reshape(len(images), -1).numpy()
    logits = engine.predict(result.replica.theta, images)
    np.testing.assert_allclose(logits, theirs, rtol=0, atol=1e-4)
    apart = np.abs(result.replica.theta - flat(network, model)).max(), np.abs(logits - theirs).max()
    report("parity: six steps of {}, PyTorch: parameters {:.1e} apart, logits {:.1e}".format(name, *apart))


@pytest.mark.parametrize("name", ["batch norm", "group norm"])
def test_norms_forward_and_backward_are_pytorchs(name: str, report: Callable[[str], None]) -> None:
    largest = Largest(f"{name}, PyTorch, forward and backward")
    mine = batch_norm if name == "batch norm" else group_norm

    def theirs(*t: Any) -> Any:
        if name == "batch norm":
            return torch.nn.functional.batch_norm(t[0], None, None, *t[1:], training=True)
        return torch.nn.functional.group_norm(t[0], 2, *t[1:])

    @given(
        n=st.integers(2, 6), channels=st.sampled_from([2, 4, 6]), plane=st.sampled_from(((2, 3), (5, 4))), seed=SEEDS
    )
    @settings(max_examples=CASES)
    def check(n: int, channels: int, plane: tuple[int, int], seed: int) -> None:
        x, dy = (normal(np, seed + k, (n, channels, *plane), np.float32) for k in range(2))
        weight, bias = (normal(np, seed + k, (channels,), np.float32) for k in (2, 3))
        inputs = [torch.tensor(array, requires_grad=True) for array in (x, weight, bias)]
        y = theirs(*inputs)
        y.backward(torch.tensor(dy))
        largest.check(mine(x, weight, bias, dy), (y.detach().numpy(), *(t.grad.numpy() for t in inputs)))

    check()
    largest.finish(CASES, report)


def batch_norm(x: np.ndarray, weight: np.ndarray, bias: np.ndarray, dy: np.ndarray) -> tuple[np.ndarray, ...]:
    y, mean, variance = ops.batch_norm(x, weight, bias)
    return y, *ops.batch_norm_grad(dy, x, weight, mean, variance)


def group_norm(x: np.ndarray, weight: np.ndarray, bias: np.ndarray, dy: np.ndarray) -> tuple[np.ndarray, ...]:
    return ops.group_norm(x, weight, bias, 2), *ops.group_norm_grad(dy, x, weight, 2)
