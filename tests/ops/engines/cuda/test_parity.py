"""The CUDA engine's own kernels and launches, run on the CPU, do what the composed operators do."""

from shutil import which

import numpy as np
import pytest

from ops import (
    AvgPool2D,
    BatchNorm2D,
    Concat,
    Conv2D,
    Dense,
    Flatten,
    GroupNorm,
    MaxPool2D,
    ReLU,
    Residual,
    Tanh,
    zoo,
)
from ops.engines.array import ArrayEngine
from ops.engines.base import Replica
from ops.engines.cuda import CudaEngine, check
from ops.engines.cuda.layout import MOST_SHARED_TENSOR, layout
from ops.errors import ShapeError, Unsupported
from ops.network import Network
from ops.testing.cases import NETWORKS, STEP_CONFIGS, pictures, replica, steps
from tests.ops.engines.cuda.host import HostDevice
from tests.ops.engines.networks import tried

pytestmark = pytest.mark.skipif(which("g++") is None, reason="running CUDA sources on the CPU takes g++")

ROOMY = {
    network.name: network
    for network in (
        Network("one example a block", (1, 44, 44), (Conv2D(5, 3), Tanh(), MaxPool2D(3), Flatten(), Dense(4))),
        Network(
            "filters beyond shared memory",
            (1, 5, 5),
            (Conv2D(70, 3, padding=1), ReLU(), Conv2D(70, 3, padding=1), AvgPool2D(5), Flatten(), Dense(4)),
        ),
    )
}
COVERED = {name: network for name, network in {**NETWORKS, **ROOMY}.items() if name != "resized"}

PRODUCTS = [
    name for name, network in COVERED.items() if layout(network, MOST_SHARED_TENSOR, tensor_cores=True).products
]
"""Those with a convolution that tensor cores compute."""


def recipe_of(name):
    return STEP_CONFIGS[list(COVERED).index(name) % len(STEP_CONFIGS)]


def ran(engine, network, plan):
    return engine.run(replica(network), engine.load(*pictures(network)), plan)


def assert_close(ours, theirs, *, slack=1):
    # rounding: sums of some hundred numbers in another order, over four steps
    np.testing.assert_allclose(ours.replica.theta, theirs.replica.theta, rtol=0, atol=5e-6 * slack)
    np.testing.assert_allclose(ours.replica.velocity, theirs.replica.velocity, rtol=0, atol=2e-5 * slack)
    assert ours.loss == pytest.approx(theirs.loss, rel=1e-5 * slack)
    assert (ours.examples, ours.correct) == (theirs.examples, theirs.correct)


@pytest.mark.parametrize(("name", "tensor_cores"), [*tried(COVERED, False), *tried(PRODUCTS, True)])
def test_a_round_ends_where_the_composed_operators_end(name, tensor_cores):
    network, step_config = COVERED[name], recipe_of(name)
    plan, devices = steps(5, 0, 1, 8), [HostDevice(order, tensor_cores=tensor_cores) for order in (0, 11)]
    first, shuffled = (ran(CudaEngine(network, step_config, device), network, plan) for device in devices)
    assert_close(first, ran(ArrayEngine(network, step_config), network, plan))
    # no thread or block may see how far another has come: any order gives the same bits
    np.testing.assert_array_equal(first.replica.theta, shuffled.replica.theta)
    np.testing.assert_array_equal(first.replica.velocity, shuffled.replica.velocity)
    assert (first.loss, first.correct) == (shuffled.loss, shuffled.correct)


@pytest.mark.parametrize("name", tried(COVERED))
def test_predictions_are_those_of_the_array_engine(name):
    network, step_config = COVERED[name], recipe_of(name)
    images, theta = pictures(network)[0][:5], replica(network).theta
    tensor_cores = name in PRODUCTS
    ours = CudaEngine(network, step_config, HostDevice(3, tensor_cores=tensor_cores)).predict(theta, images)
    # logits are sums of a few hundred products around 1, each rounded to 6e-8
    np.testing.assert_allclose(ours, ArrayEngine(network, step_config).predict(theta, images), rtol=0, atol=1e-5)


@pytest.mark.parametrize("tensor_cores", [False, True], ids=["plain", "tensor cores"])
@pytest.mark.parametrize("name", ["lenet", "lenet-relu", "mlp"])
def test_so_does_the_zoo(name, tensor_cores):
    network, plan = zoo.network(name, (1, 28, 28), 10), steps(9, 3, rate=0.01)
    device = HostDevice(7, tensor_cores=tensor_cores)
    ours = ran(CudaEngine(network, STEP_CONFIGS[1], device), network, plan)
    assert_close(ours, ran(ArrayEngine(network, STEP_CONFIGS[1]), network, plan))


def test_a_gpu_with_less_shared_memory_takes_one_example_of_lenet_a_block():
    network, plan, device = zoo.network("lenet", (1, 28, 28), 10), steps(3, 2), HostDevice(5, shared=99 << 10)
    assert layout(network, device.shared).examples == 1
    ours = ran(CudaEngine(network, STEP_CONFIGS[0], device), network, plan)
    assert_close(ours, ran(ArrayEngine(network, STEP_CONFIGS[0]), network, plan))


def test_other_parameters_are_refused():
    network = NETWORKS["softmax regression"]
    engine, start = CudaEngine(network, STEP_CONFIGS[0], HostDevice()), replica(network)
    images, labels = pictures(network)
    short = Replica(start.theta[:-1], start.velocity[:-1])
    with pytest.raises(ShapeError, match=r"has 204 parameters, got shape \(203,\)"):
        engine.run(short, engine.load(images, labels), steps(1))
    with pytest.raises(ShapeError, match="has 204 parameters"):
        engine.predict(short.theta, images)


def test_large_networks_have_a_block_each_and_filters_where_they_are():
    assert {layout(network).examples for network in NETWORKS.values() if network.name != "resized"} == {2}
    assert layout(ROOMY["one example a block"]).examples == 1
    assert layout(ROOMY["filters beyond shared memory"]).filters == {0: 0}


def test_a_round_longer_than_a_graph_is_several_replays_and_the_graph_is_used_again():
    network, step_config = NETWORKS["softmax regression"], STEP_CONFIGS[2]
    device = HostDevice()
    engine, plain = CudaEngine(network, step_config, device), ArrayEngine(network, step_config)
    ours, theirs = engine.load(*pictures(network)), plain.load(*pictures(network))
    for sizes in ([2] * 39 + [1], [1, 2], [2] * 33):
        plan, start = steps(*sizes), replica(network)
        assert_close(engine.run(start, ours, plan), plain.run(start, theirs, plan))
    # seven launches to warm up once, then two a step and one a replay: 32 + 8, 2, and 32 + 1 steps
    assert len(device.launched) == 7 + 2 * (40 + 2 + 33) + 5


REFUSED = {
    "resize1 (Resize)": NETWORKS["resized"],
    "residual1 (Residual)": Network("r", (2, 3, 3), (Residual((ReLU(),)), Flatten(), Dense(2))),
    "concat1 (Concat)": Network("c", (2, 3, 3), (Concat(((ReLU(),), ())), Flatten(), Dense(2))),
    "batchnorm2d1 (BatchNorm2D)": Network("b", (2, 3, 3), (Conv2D(2, 2), BatchNorm2D(), Flatten(), Dense(2))),
    "groupnorm1 (GroupNorm)": Network("g", (2, 3, 3), (Conv2D(2, 2), GroupNorm(2), Flatten(), Dense(2))),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_has_no_kernels_is_refused_by_name(name):
    with pytest.raises(Unsupported) as refusal:
        check(REFUSED[name], STEP_CONFIGS[0])
    assert str(refusal.value) == f"engine 'cuda' has no kernels for {name}"
