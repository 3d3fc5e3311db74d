"""The SIMD engine does what the composed operators do, in float32 and in float64."""

import numpy as np
import pytest

from ops import augment
from ops.engines.array import ArrayEngine
from ops.engines.simd import SimdEngine
from ops.engines.simd.cpu import cpu
from ops.errors import Unsupported
from ops.layers import Context
from ops.loss import softmax_cross_entropy
from ops.passes import backward, forward
from ops.update import sgd_update
from tests.ops.engines.simd.cases import NETWORKS, STEP_CONFIGS, pictures, replica, steps
from tests.ops.engines.simd.conftest import AVX2

ON_X86 = pytest.mark.skipif(not cpu().x86, reason="the narrower vectors are those of older x86 processors")
SIZES = (32, 16, 5, 0, 1, 40, 17, 90, *(20,) * 13)
"""21 steps: full and ragged blocks, more than a panel of them, and one step with no examples."""


def in_float64(network, step_config, start, images, labels, plan):
    """Parameters and summed loss after the steps, in double precision, by the operators."""
    theta, velocity = start.theta.astype(np.float64), start.velocity.astype(np.float64)
    total = 0.0
    for first, stop, rate in zip(plan.offsets, plan.offsets[1:], plan.rates, strict=False):
        batch = plan.examples[first:stop]
        if not len(batch):
            continue
        drawn = augment.draw(batch, flip=step_config.flip, shift=step_config.shift, seed=plan.seed, epoch=plan.epoch)
        x = augment.apply(images[batch], drawn) / 255
        context = Context(True, plan.seed, plan.epoch, batch)
        parameters = network.parameters(theta)
        y, saved = forward(network, parameters, x, context)
        logits = y.reshape(len(batch), -1)
        loss, dlogits = softmax_cross_entropy(logits, labels[batch], label_smoothing=step_config.label_smoothing)
        gradient = np.empty_like(theta)
        backward(network, parameters, dlogits.reshape(y.shape), saved, into=network.parameters(gradient))
        sgd_update(theta, velocity, gradient, float(rate), step_config)
        total += float(loss) * len(batch)
    return theta, velocity, total


@pytest.mark.parametrize("name", NETWORKS)
def test_parameters_after_twenty_steps_are_those_of_float64(name):
    network = NETWORKS[name]
    step_config = STEP_CONFIGS[list(NETWORKS).index(name) % len(STEP_CONFIGS)]
    images, labels = pictures(network)
    start, plan = replica(network), steps(*SIZES, rate=0.05)
    engine = SimdEngine(network, step_config)
    result = engine.run(start, engine.load(images, labels), plan)
    theta, velocity, loss = in_float64(network, step_config, start, images, labels, plan)
    # rounding: some 6e-8 of numbers around 1, in each of 20 steps, amplified a little from step to step
    np.testing.assert_allclose(result.replica.theta, theta, rtol=0, atol=2e-5)
    if step_config.momentum:
        np.testing.assert_allclose(result.replica.velocity, velocity, rtol=0, atol=5e-5)
    assert result.loss == pytest.approx(loss, rel=1e-5)
    assert result.examples == sum(SIZES)


@pytest.mark.parametrize("name", NETWORKS)
def test_predictions_are_those_of_the_array_engine(name):
    network = NETWORKS[name]
    step_config = STEP_CONFIGS[list(NETWORKS).index(name) % len(STEP_CONFIGS)]
    images, _ = pictures(network)
    theta = replica(network).theta
    ours, theirs = (
        SimdEngine(network, step_config).predict(theta, images),
        ArrayEngine(network, step_config).predict(theta, images),
    )
    # logits are sums of a few hundred products around 1, each rounded to 6e-8
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-5)


def assert_alone_is_as_in_company(network, step_config):
    engine, theta = SimdEngine(network, step_config), replica(network).theta
    images, _ = pictures(network)
    engine.predict(np.full_like(theta, np.nan), images)  # leaves what nobody may read
    together = engine.predict(theta, images)
    for first, many in ((0, 1), (1, 3), (40, 17)):
        alone = engine.predict(theta, images[first : first + many])
        np.testing.assert_array_equal(alone, together[first : first + many])


@pytest.mark.parametrize("name", NETWORKS)
def test_a_prediction_alone_has_the_bits_it_has_in_company(name):
    assert_alone_is_as_in_company(NETWORKS[name], STEP_CONFIGS[list(NETWORKS).index(name) % len(STEP_CONFIGS)])


@ON_X86
@pytest.mark.parametrize("name", ["dense", "plain", "padded", "hanging average pools", "dropout", "resized"])
def test_processors_with_narrower_vectors_come_to_the_same(name, pretend):
    network, step_config = NETWORKS[name], STEP_CONFIGS[1]
    images, labels = pictures(network)
    start, plan = replica(network), steps(20, 9, 33, 1, rate=0.05)
    outcomes = []
    for narrow in (False, True):
        if narrow:
            pretend("haswell", AVX2)
            assert cpu().lanes == 8
        engine = SimdEngine(network, step_config)
        outcomes.append(engine.run(start, engine.load(images, labels), plan))
    wide, narrow = outcomes
    # sums over lanes are added in another order: rounding, over four steps
    np.testing.assert_allclose(narrow.replica.theta, wide.replica.theta, rtol=0, atol=5e-6)
    assert narrow.loss == pytest.approx(wide.loss, rel=1e-5)
    assert narrow.correct == wide.correct
    assert_alone_is_as_in_company(network, step_config)


def test_processors_without_fma_are_refused(pretend):
    if not cpu().x86:
        pytest.skip("NEON always has it")
    pretend("nehalem", ("sse", "sse2", "sse4.2", "64bit", "cx8"))
    with pytest.raises(Unsupported, match="needs a processor with AVX2 and FMA"):
        SimdEngine(NETWORKS["dense"], STEP_CONFIGS[0])
