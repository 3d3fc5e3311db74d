"""The CUDA engine on a GPU: parity, the same bits again, and memory."""

import numpy as np
import pytest

import tests.gpu.needs_gpu  # noqa: F401 -- skips this module without a GPU
from ops import zoo
from ops.engines.array import ArrayEngine
from ops.engines.cuda import CudaEngine
from ops.engines.cuda.device import CupyDevice
from ops.errors import Unsupported
from ops.testing.cases import NETWORKS, STEP_CONFIGS, pictures, replica, steps
from tests.ops.engines.cuda.test_parity import COVERED, assert_close, ran, recipe_of

pytestmark = pytest.mark.gpu


@pytest.mark.parametrize("name", COVERED)
def test_a_round_ends_where_the_composed_operators_end(name):
    network, step_config, plan = COVERED[name], recipe_of(name), steps(40, 0, 1, 17)
    ours, again = (ran(CudaEngine(network, step_config), network, plan) for _ in range(2))
    # a GPU rounds a product and a sum once, and divides in sigmoids to the last bit or two
    assert_close(ours, ran(ArrayEngine(network, step_config), network, plan), slack=10)
    np.testing.assert_array_equal(ours.replica.theta, again.replica.theta)
    assert ours.loss == again.loss


@pytest.mark.parametrize("name", ["lenet", "lenet-relu", "mlp"])
def test_the_zoo_trains_on_it_and_replays_give_the_same_bits(name):
    network = zoo.network(name, (1, 28, 28), 10)
    engine, plain = CudaEngine(network, STEP_CONFIGS[1]), ArrayEngine(network, STEP_CONFIGS[1])
    images, labels = pictures(network)
    data, plan, start = engine.load(images, labels), steps(*[30] * 40, rate=0.01), replica(network)
    first, again = (engine.run(start, data, plan) for _ in range(2))
    np.testing.assert_array_equal(first.replica.theta, again.replica.theta)
    # rounding, over forty steps with momentum
    theirs = plain.run(start, plain.load(images, labels), plan)
    np.testing.assert_allclose(first.replica.theta, theirs.replica.theta, rtol=0, atol=2e-4)
    logits = engine.predict(start.theta, images)
    np.testing.assert_allclose(logits, plain.predict(start.theta, images), rtol=0, atol=1e-4)


def test_memory_that_is_not_there_is_refused_with_the_numbers():
    with pytest.raises(Unsupported, match=r"out of memory: [\d,]+ bytes needed, [\d,]+ free of"):
        CupyDevice().empty((1 << 44,), "u1")


def test_a_hundred_rounds_take_no_more_memory_than_one():
    import cupy

    network = NETWORKS["plain"]
    engine = CudaEngine(network, STEP_CONFIGS[1])
    data, plan = engine.load(*pictures(network)), steps(20, 20)
    engine.run(replica(network), data, plan)
    free, _ = cupy.cuda.runtime.memGetInfo()
    for _ in range(100):
        engine.run(replica(network), data, plan)
    assert cupy.cuda.runtime.memGetInfo()[0] >= free - (2 << 20)  # what others on the GPU may take meanwhile
