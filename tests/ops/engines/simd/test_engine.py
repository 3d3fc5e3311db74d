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
from ops.errors import DtypeError, LabelError, ShapeError, Unsupported
from ops.network import Network
from ops.step_config import StepConfig
from ops.zoo import network as from_zoo
from tests.ops.engines.simd.cases import NETWORKS, pictures, replica, steps

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


def test_the_same_arguments_give_the_same_bits(engine, data, start):
    plan = steps(40, 33, 7)
    first = engine.run(start, data, plan)
    engine.run(replica(NETWORK, seed=9), data, steps(50, 11, seed=4))  # leaves other numbers in the memory
    same_bits(engine.run(start, data, plan), first)
    fresh = SimdEngine(NETWORK, STEP_CONFIG)
    same_bits(fresh.run(start, fresh.load(IMAGES, LABELS), plan), first)


def digest_of_a_run(_):
    engine = SimdEngine(NETWORK, STEP_CONFIG)
    result = engine.run(replica(NETWORK), engine.load(IMAGES, LABELS), steps(40, 33, 7))
    return sha256(result.replica.theta.tobytes()).hexdigest()


def test_other_processes_give_the_same_bits():
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        digests = pool.map(digest_of_a_run, range(2))
    assert digests == [digest_of_a_run(0)] * 2


def test_a_run_in_two_parts_ends_with_the_same_bits(engine, data, start):
    plan = steps(18, 4, 36)
    whole = engine.run(start, data, plan)
    first = Steps(plan.examples[:18], plan.offsets[:2], plan.rates[:1], plan.seed, plan.epoch)
    rest = Steps(plan.examples[18:], plan.offsets[1:] - 18, plan.rates[1:], plan.seed, plan.epoch)
    parts = engine.run(engine.run(start, data, first).replica, data, rest)
    np.testing.assert_array_equal(parts.replica.theta, whole.replica.theta)
    np.testing.assert_array_equal(parts.replica.velocity, whole.replica.velocity)


def test_the_replica_is_left_untouched(engine, data, start):
    theta, velocity = start.theta.copy(), start.velocity.copy()
    engine.run(start, data, steps(20, 20))
    np.testing.assert_array_equal(start.theta, theta)
    np.testing.assert_array_equal(start.velocity, velocity)


def test_steps_without_examples_are_skipped(engine, data, start):
    plan = steps(8, 6)
    offsets, rates = np.array([0, 0, 8, 8, 14, 14], np.int32), np.array([9, 0, 9, 0, 9], np.float32)
    rates[[1, 3]] = plan.rates
    gaps = Steps(plan.examples, offsets, rates, plan.seed, plan.epoch)
    same_bits(engine.run(start, data, gaps), engine.run(start, data, plan))


def test_no_steps_change_nothing(engine, data, start):
    result = engine.run(start, data, steps())
    np.testing.assert_array_equal(result.replica.theta, start.theta)
    np.testing.assert_array_equal(result.replica.velocity, start.velocity)
    assert (result.examples, result.loss, result.correct) == (0, 0.0, 0)


@pytest.mark.parametrize("changed", [{"seed": 5}, {"seed": 2**41 + 5}, {"epoch": 4}])
def test_seed_and_epoch_change_augmentation_and_dropout(engine, data, start, changed):
    assert engine.run(start, data, steps(20)).loss != engine.run(start, data, steps(20, **changed)).loss


def test_a_network_that_has_diverged_says_so(engine, data, start):
    theta = start.theta.copy()
    theta[0] = np.nan
    result = engine.run(Replica(theta, start.velocity), data, steps(5))
    assert np.isnan(result.loss)
    assert np.isnan(result.replica.theta).any()


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


@pytest.mark.parametrize("count", [0, 1, 15, 16, 17, 90])
def test_any_number_of_images_can_be_predicted(engine, start, count):
    together = engine.predict(start.theta, IMAGES)
    logits = engine.predict(start.theta, IMAGES[:count])
    assert logits.shape == (count, 4)
    np.testing.assert_array_equal(logits, together[:count])


def test_a_prediction_does_not_depend_on_its_company(engine, start):
    together = engine.predict(start.theta, IMAGES)
    alone = np.concatenate([engine.predict(start.theta, IMAGES[n : n + 1]) for n in range(20)])
    np.testing.assert_array_equal(alone, together[:20])


def test_images_of_one_channel_need_no_axis_for_it(engine, start):
    np.testing.assert_array_equal(
        engine.predict(start.theta, IMAGES[:, 0]), engine.predict(start.theta, IMAGES[:, ::1])
    )


def test_images_need_not_lie_in_one_piece(engine, start):
    np.testing.assert_array_equal(
        engine.predict(start.theta, IMAGES[::3]), engine.predict(start.theta, IMAGES[::3].copy())
    )


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


def test_what_does_not_fit_is_refused(engine, data, start):
    with pytest.raises(ShapeError, match=r"images must have shape \(n, 1, 7, 7\)"):
        engine.predict(start.theta, np.zeros((3, 7, 8), np.uint8))
    with pytest.raises(DtypeError, match="images must be uint8, got float64"):
        engine.predict(start.theta, np.zeros((3, 7, 7)))
    with pytest.raises(ShapeError, match=r"labels must have shape \(90,\)"):
        engine.load(IMAGES, LABELS[1:])
    with pytest.raises(DtypeError, match="labels must be uint8, got int64"):
        engine.load(IMAGES, LABELS.astype(int))
    with pytest.raises(LabelError, match=r"labels must be in \[0, 4\), got 4"):
        engine.load(IMAGES, np.full(90, 4, np.uint8))
    with pytest.raises(ShapeError, match=r"theta must have shape"):
        engine.predict(start.theta[1:], IMAGES)
    for examples in ([0, 90], [-1, 3]):
        plan = Steps(np.array(examples, np.int32), np.array([0, 2], np.int32), np.ones(1, np.float32))
        with pytest.raises(ShapeError, match=r"examples must be in \[0, 90\)"):
            engine.run(start, data, plan)


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
