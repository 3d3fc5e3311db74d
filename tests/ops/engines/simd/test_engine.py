"""The SIMD engine: what it promises about steps, predictions and bits."""

import multiprocessing
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256

import numpy as np
import pytest

import ops
from ops.engines import choose
from ops.engines.array import ArrayEngine
from ops.engines.base import Replica, Steps
from ops.engines.simd import SimdEngine, check
from ops.engines.simd.cpu import cpu
from ops.errors import Unsupported
from ops.network import Network
from ops.step_config import StepConfig
from ops.testing.cases import NETWORKS, pictures, replica, steps
from ops.zoo import network as from_zoo

NETWORK = NETWORKS["dropout"]
STEP_CONFIG = StepConfig(momentum=0.9, flip=True, shift=2)
IMAGES, LABELS = pictures(NETWORK)


@pytest.fixture(scope="module")
def engine():
    return SimdEngine(NETWORK, STEP_CONFIG)


@pytest.fixture(scope="module")
def data(engine):
    return engine.load(IMAGES, LABELS)


@pytest.fixture
def start():
    return replica(NETWORK)


def same_bits(first, second):
    np.testing.assert_array_equal(first.replica.theta, second.replica.theta)
    np.testing.assert_array_equal(first.replica.velocity, second.replica.velocity)
    assert (first.loss, first.correct, first.examples) == (second.loss, second.correct, second.examples)


def digest_of_a_run(_):
    engine = SimdEngine(NETWORK, STEP_CONFIG)
    result = engine.run(replica(NETWORK), engine.load(IMAGES, LABELS), steps(40, 33, 7))
    return sha256(result.replica.theta.tobytes()).hexdigest()


def test_other_processes_give_the_same_bits():
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        digests = pool.map(digest_of_a_run, range(2))
    assert digests == [digest_of_a_run(0)] * 2


def test_a_whole_epoch_of_lenet_loses_what_the_array_engine_loses():
    network, step_config = from_zoo("lenet", (1, 28, 28), 10), StepConfig(momentum=0.9)
    rng = np.random.default_rng(1)
    labels = rng.integers(0, 10, 1000).astype(np.uint8)
    patterns = rng.integers(0, 200, (10, 28, 28))
    images = (patterns[labels] + rng.integers(0, 56, (1000, 28, 28))).astype(np.uint8)
    offsets = np.append(np.arange(0, 1000, 96), 1000).astype(np.int32)
    plan = Steps(rng.permutation(1000).astype(np.int32), offsets, np.full(len(offsets) - 1, 0.3, np.float32))
    theta = network.init_parameters(2)
    ours, theirs = (
        engine.run(Replica(theta, np.zeros_like(theta)), engine.load(images, labels), plan)
        for engine in (SimdEngine(network, step_config), ArrayEngine(network, step_config))
    )
    assert ours.loss == pytest.approx(theirs.loss, rel=1e-5)  # four digits, and one to spare
    assert ours.correct == pytest.approx(theirs.correct, abs=2)  # a tie may fall either way
    np.testing.assert_allclose(ours.replica.theta, theirs.replica.theta, rtol=0, atol=1e-4)


def test_a_prediction_does_not_depend_on_its_company(engine, start):
    together = engine.predict(start.theta, IMAGES)
    alone = np.concatenate([engine.predict(start.theta, IMAGES[n : n + 1]) for n in range(20)])
    np.testing.assert_array_equal(alone, together[:20])


def test_threads_may_predict_and_train_at_once(engine, data, start):
    plan = steps(40, 33)
    expected, trained = engine.predict(start.theta, IMAGES), engine.run(start, data, plan)
    with ThreadPoolExecutor(4) as pool:
        predictions = [pool.submit(engine.predict, start.theta, IMAGES) for _ in range(40)]
        runs = [pool.submit(engine.run, start, data, plan) for _ in range(40)]
    for prediction in predictions:
        np.testing.assert_array_equal(prediction.result(), expected)
    for run in runs:
        same_bits(run.result(), trained)


def test_networks_too_large_for_it_are_refused_with_the_reason():
    with pytest.raises(Unsupported, match="at most 2,000,000 parameters, 'alexnet' has 46,"):
        check(from_zoo("alexnet", (1, 224, 224), 10), StepConfig())
    wide = Network("wide", (3, 200, 200), (ops.Conv2D(30, 3), ops.AvgPool2D(global_pool=True), ops.Flatten()))
    with pytest.raises(Unsupported, match="at most 1,000,000 numbers an example"):
        check(wide, StepConfig())


def test_layers_it_has_no_kernels_for_are_refused():
    class Unknown(ops.layers.Layer):
        def forward(self, x, parameters, context):
            return x, None

        def backward(self, dy, saved, parameters, *, input_gradient=True):
            return dy, {}

    strange = Network("strange", (1, 4, 4), (ops.Flatten(), Unknown(), ops.Dense(2)))
    with pytest.raises(Unsupported, match="no kernels for unknown1"):
        check(strange, StepConfig())


@pytest.mark.parametrize("name", ["lenet", "lenet-relu", "mlp"])
def test_it_is_chosen_on_a_cpu(name):
    assert choose(from_zoo(name, (1, 28, 28), 10), StepConfig(), device="cpu").engine == "simd"


@pytest.mark.skipif(not cpu().x86, reason="other processors are left as they are")
def test_tiny_numbers_become_zero_inside_a_run_and_only_there():
    network = NETWORKS["softmax regression"]
    engine = SimdEngine(network, StepConfig(momentum=0.9))
    black = np.zeros((6, *network.input_shape), np.uint8)
    tiny = np.full(network.num_parameters, 1e-40, np.float32)
    plan = Steps(np.arange(6, dtype=np.int32), np.array([0, 6], np.int32), np.ones(1, np.float32))
    result = engine.run(Replica(replica(network).theta, tiny), engine.load(black, LABELS[:6]), plan)
    # black pixels give the weights no gradient: their velocity is 0.9e-40, or nothing
    weights = next(piece for piece in network.table if piece.key == "weight")
    assert not result.replica.velocity[weights.start : weights.stop].any()
    assert (tiny * np.float32(0.5)).all()


def test_predictions_follow_the_parameters_that_are_given_whatever_was_laid_out_before():
    network = from_zoo("lenet", (1, 28, 28), 10)
    engine = SimdEngine(network, StepConfig())
    images = np.random.default_rng(0).integers(0, 256, (3, 28, 28)).astype(np.uint8)
    thetas = [network.init_parameters(seed) for seed in (0, 1)]
    expected = [engine.predict(theta.copy(), images) for theta in thetas]
    assert not np.array_equal(*expected)
    for theta in thetas:
        theta.flags.writeable = False
    for which in (0, 0, 1, 0):
        np.testing.assert_array_equal(engine.predict(thetas[which], images), expected[which])
    one_step = Steps(np.arange(3, dtype=np.int32), np.array([0, 3], np.int32), np.ones(1, np.float32))
    engine.run(Replica(thetas[1], np.zeros_like(thetas[1])), engine.load(images, np.zeros(3, np.uint8)), one_step)
    np.testing.assert_array_equal(engine.predict(thetas[0], images), expected[0])
