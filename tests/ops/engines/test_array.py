"""The engine of composed operators: steps, outcomes, predictions."""

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

import ops
from ops import augment, zoo
from ops.engines.array import ArrayEngine, scaled
from ops.engines.base import Replica, Steps
from ops.layers import Context
from ops.optimizers.sgd import sgd_update
from ops.passes import forward

RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, (40, 12, 12), dtype=np.uint8)
LABELS = RNG.integers(0, 4, 40).astype(np.uint8)
LAYERS = (
    ops.Conv2D(3, 3, padding=1),
    ops.ReLU(),
    ops.MaxPool2D(2),
    ops.Flatten(),
    ops.Dropout(0.3),
    ops.Dense(8),
    ops.Tanh(),
    ops.Dense(4),
)
NETWORK = ops.Network("small", (1, 12, 12), LAYERS)
STEP_CONFIG = ops.StepConfig(momentum=0.9, weight_decay=1e-3, flip=True, shift=2)


def steps(*sizes: int, seed: int = 1, epoch: int = 2) -> Steps:
    offsets = np.cumsum([0, *sizes]).astype(np.int32)
    examples = np.random.default_rng(5).permutation(40)[: offsets[-1]].astype(np.int32)
    return Steps(examples, offsets, np.linspace(0.1, 0.2, len(sizes), dtype=np.float32), seed, epoch)


@pytest.fixture
def engine() -> ArrayEngine:
    return ArrayEngine(NETWORK, STEP_CONFIG)


@pytest.fixture
def replica() -> Replica:
    theta = NETWORK.init_parameters(3)
    return Replica(theta, RNG.normal(size=theta.shape).astype(np.float32) / 100)


def test_a_run_is_its_steps_one_after_another(engine, replica):
    data, plan = engine.load(IMAGES, LABELS), steps(8, 5, 9)
    result = engine.run(replica, data, plan)
    theta, velocity, loss, correct = replica.theta.copy(), replica.velocity.copy(), 0.0, 0
    for start, stop, rate in zip(plan.offsets, plan.offsets[1:], plan.rates, strict=False):
        batch = plan.examples[start:stop]
        mean, hits, gradient = engine.gradient(theta, data, batch, plan.seed, plan.epoch)
        sgd_update(theta, velocity, gradient, float(rate), STEP_CONFIG)
        loss, correct = loss + float(mean) * len(batch), correct + int(hits)
    np.testing.assert_array_equal(result.replica.theta, theta)
    np.testing.assert_array_equal(result.replica.velocity, velocity)
    assert (result.examples, result.loss, result.correct) == (22, pytest.approx(loss), correct)


def test_the_number_of_threads_that_blas_may_take_changes_no_bit():
    network = ops.Network("wide", (1, 28, 28), (ops.Flatten(), ops.Dense(300), ops.ReLU(), ops.Dense(10)))
    engine = ArrayEngine(network, ops.StepConfig())
    images = RNG.integers(0, 256, (256, 28, 28), dtype=np.uint8)
    data = engine.load(images, RNG.integers(0, 10, 256).astype(np.uint8))
    plan = Steps(np.arange(256, dtype=np.int32), np.array([0, 256], np.int32), np.array([0.1], np.float32))
    replica = Replica(network.init_parameters(0), np.zeros(network.num_parameters, np.float32))
    thetas = []
    for threads in (1, 2, 4):
        with threadpool_limits(threads, user_api="blas"):
            thetas.append(engine.run(replica, data, plan).replica.theta)
            assert {lib["num_threads"] for lib in threadpool_info() if lib["user_api"] == "blas"} == {threads}
    np.testing.assert_array_equal(thetas[0], thetas[1])
    np.testing.assert_array_equal(thetas[0], thetas[2])


def test_the_loss_is_that_of_the_augmented_images(replica):
    network = ops.Network("plain", (1, 12, 12), (ops.Flatten(), ops.Dense(4)))
    theta = network.init_parameters(1)
    engine = ArrayEngine(network, STEP_CONFIG)
    plan = steps(10)
    result = engine.run(Replica(theta, np.zeros_like(theta)), engine.load(IMAGES, LABELS), plan)
    drawn = augment.draw(plan.examples, flip=True, shift=2, seed=plan.seed, epoch=plan.epoch)
    moved = augment.apply(IMAGES[plan.examples][:, None], drawn)
    logits, _ = forward(network, network.parameters(theta), scaled(moved), Context())
    loss, _ = ops.softmax_cross_entropy(logits, LABELS[plan.examples])
    assert result.loss == pytest.approx(10 * float(loss), rel=1e-6)
    assert result.correct == (logits.argmax(axis=1) == LABELS[plan.examples]).sum()


@pytest.mark.parametrize("count", [0, 1, 40, 300])
def test_any_number_of_images_can_be_predicted(engine, count):
    images = RNG.integers(0, 256, (count, 12, 12), dtype=np.uint8)
    theta = NETWORK.init_parameters(1)
    logits = engine.predict(theta, images)
    assert logits.shape == (count, 4)
    assert logits.dtype == np.float32
    expected, _ = forward(NETWORK, NETWORK.parameters(theta), scaled(images[:, None]), Context())
    np.testing.assert_allclose(logits, expected, rtol=0, atol=1e-5)  # batches of another size sum in another order
    np.testing.assert_array_equal(engine.predict(theta, images[:, None]), logits)


@pytest.mark.parametrize("at", [1, 2, 3])
def test_predictions_do_not_depend_on_where_the_parameters_lie(at):
    """A worker gets them as a part of a message, which may begin at any byte."""
    network = zoo.network("mlp", (1, 28, 28), 10)
    theta = network.init_parameters(1)
    message = bytearray(at) + theta.tobytes()
    received = np.frombuffer(message, np.float32, offset=at)
    images = RNG.integers(0, 256, (16, 28, 28), dtype=np.uint8)
    engine = ArrayEngine(network, ops.StepConfig())
    np.testing.assert_array_equal(engine.predict(received, images), engine.predict(theta, images))


def test_pixels_are_scaled_to_one():
    pixels = scaled(np.array([0, 51, 255], np.uint8))
    assert pixels.dtype == np.float32
    np.testing.assert_allclose(pixels, [0, 0.2, 1], rtol=1e-6)


def test_networks_whose_output_is_a_column_of_planes_can_be_trained():
    layers = (ops.Conv2D(4, 3), ops.ReLU(), ops.AvgPool2D(global_pool=True))
    network = ops.Network("all convolutional", (1, 12, 12), layers)
    engine = ArrayEngine(network, ops.StepConfig())
    theta = network.init_parameters(0)
    result = engine.run(Replica(theta, np.zeros_like(theta)), engine.load(IMAGES, LABELS), steps(20, 20))
    assert (result.replica.theta != theta).any()
    assert engine.predict(theta, IMAGES).shape == (40, 4)


def test_plain_gradient_descent_hands_the_velocity_on_without_a_copy(replica):
    for momentum in (0.0, 0.5):
        engine = ArrayEngine(NETWORK, ops.StepConfig(momentum=momentum))
        result = engine.run(replica, engine.load(IMAGES, LABELS), steps(8, 8))
        assert (result.replica.velocity is replica.velocity) == (momentum == 0)
