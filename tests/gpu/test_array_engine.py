"""The engine of composed operators on a GPU, against itself on the CPU."""

import numpy as np
import pytest

import ops
import tests.gpu.needs_gpu  # noqa: F401 -- skips this module without a GPU
from ops.engines.array import ArrayEngine
from ops.engines.base import Replica
from tests.arrays import host, normal
from tests.ops.engines.test_array import IMAGES, LABELS, NETWORK, STEP_CONFIG, steps

pytestmark = pytest.mark.gpu


def test_a_run_on_the_gpu_ends_where_one_on_the_cpu_ends():
    theta = NETWORK.init_parameters(3)
    replica = Replica(theta, np.zeros_like(theta))
    outcomes = []
    for device in ("cpu", "cuda"):
        engine = ArrayEngine(NETWORK, STEP_CONFIG, device=device)
        outcomes.append(engine.run(replica, engine.load(IMAGES, LABELS), steps(16, 8, 16)))
    here, there = outcomes
    assert isinstance(there.replica.theta, np.ndarray)
    # float32 sums in another order, over three steps of rate 0.2
    np.testing.assert_allclose(there.replica.theta, here.replica.theta, rtol=0, atol=1e-4)
    assert there.loss == pytest.approx(here.loss, rel=1e-4)
    assert (there.examples, there.correct) == (here.examples, here.correct)


def test_a_run_on_the_gpu_gives_the_same_bits_again():
    theta = NETWORK.init_parameters(3)
    engine = ArrayEngine(NETWORK, STEP_CONFIG, device="cuda")
    data = engine.load(IMAGES, LABELS)
    first, again = (engine.run(Replica(theta, np.zeros_like(theta)), data, steps(16, 8, 16)) for _ in range(2))
    np.testing.assert_array_equal(first.replica.theta, again.replica.theta)
    assert first.loss == again.loss


def test_predictions_come_back_to_the_host():
    theta = NETWORK.init_parameters(1)
    here, there = (
        ArrayEngine(NETWORK, STEP_CONFIG, device=device).predict(theta, IMAGES) for device in ("cpu", "cuda")
    )
    assert isinstance(there, np.ndarray)
    np.testing.assert_allclose(there, here, rtol=0, atol=1e-4)


def test_a_label_outside_the_classes_shows_in_the_loss_without_waiting(xp):
    logits = normal(xp, 1, (3, 4), np.float32)
    loss, _ = ops.softmax_cross_entropy(logits, xp.asarray([0, 4, 1]))
    assert np.isnan(host(loss))


def test_arrays_of_both_kinds_are_not_mixed(xp):
    with pytest.raises(ops.DtypeError, match="w must be a cupy array like x, got a numpy array"):
        ops.dense(normal(xp, 1, (3, 4)), normal(np, 2, (2, 4)))
