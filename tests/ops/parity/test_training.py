"""Several steps of training, running statistics and predictions beside PyTorch, for networks with norms and blocks."""

import numpy as np
import pytest

import ops
from ops.engines.array import ArrayEngine
from ops.engines.base import Replica
from ops.testing.cases import BLOCKS, pictures, steps
from tests.ops.parity.models import as_torch, flat

torch = pytest.importorskip("torch", reason="PyTorch is not installed")
pytestmark = pytest.mark.peers

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
def test_steps_lead_where_pytorchs_lead(name):
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
    np.testing.assert_allclose(engine.predict(result.replica.theta, images), theirs, rtol=0, atol=1e-4)


def test_forward_and_backward_are_pytorchs():
    rng = np.random.default_rng(3)
    for shape in ((5, 4, 6, 3), (7, 4)):
        x, dy = (rng.normal(size=shape).astype(np.float32) for _ in range(2))
        weight, bias = (rng.normal(size=4).astype(np.float32) for _ in range(2))
        for ours, theirs in (
            (batch_norm, lambda *t: torch.nn.functional.batch_norm(t[0], None, None, *t[1:], training=True)),
            (group_norm, lambda *t: torch.nn.functional.group_norm(t[0], 2, *t[1:])),
        ):
            inputs = [torch.tensor(array, requires_grad=True) for array in (x, weight, bias)]
            y = theirs(*inputs)
            y.backward(torch.tensor(dy))
            expected = (y.detach().numpy(), *(tensor.grad.numpy() for tensor in inputs))
            for mine, other in zip(ours(x, weight, bias, dy), expected, strict=True):
                np.testing.assert_allclose(mine, other, rtol=0, atol=2e-5)


def batch_norm(x: np.ndarray, weight: np.ndarray, bias: np.ndarray, dy: np.ndarray) -> tuple[np.ndarray, ...]:
    y, mean, variance = ops.batch_norm(x, weight, bias)
    return y, *ops.batch_norm_grad(dy, x, weight, mean, variance)


def group_norm(x: np.ndarray, weight: np.ndarray, bias: np.ndarray, dy: np.ndarray) -> tuple[np.ndarray, ...]:
    return ops.group_norm(x, weight, bias, 2), *ops.group_norm_grad(dy, x, weight, 2)
