"""Networks by stages on a GPU: cuDNN and our kernels against the operators on the CPU, and the same bits again."""

import numpy as np
import pytest

import ops
import tests.gpu.needs_gpu  # noqa: F401 -- skips this module without a GPU
from ops import zoo
from ops.backends.cuda import cudnn
from ops.backends.cuda.device import CupyDevice
from ops.engines.array import ArrayEngine
from ops.engines.base import AveragingRule, Replica, RoundSteps, Steps
from ops.engines.spans import OneByOne
from ops.engines.stages import StagesEngine
from tests.ops.backends.cuda.test_program import NETWORKS, passes
from tests.ops.engines.test_array import IMAGES, LABELS, NETWORK, STEP_CONFIG, steps

pytestmark = [pytest.mark.gpu, pytest.mark.skipif(bool(cudnn.missing()), reason=cudnn.missing())]


@pytest.mark.parametrize("precision", ["float32", "tf32"])
@pytest.mark.parametrize("name", NETWORKS)
def test_a_pass_by_stages_gives_what_the_operators_give(name, precision):
    (y, gradient), expected = passes(NETWORKS[name], CupyDevice(precision))
    (again, gradient_again), _ = passes(NETWORKS[name], CupyDevice(precision))
    np.testing.assert_array_equal(again, y)
    np.testing.assert_array_equal(gradient_again, gradient)
    # sums of some 200 products near 1, in another order; factors rounded to 10 bits are off by 2**-11, which batch norm
    # divides by small deviations, and by which another number of a window may be the largest: 0.01 on a CPU
    tolerance = 3e-2 if precision == "tf32" else 2e-5
    for one, other in zip((y, gradient), expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=tolerance * max(1, np.abs(other).max(initial=0)))


@pytest.mark.parametrize("precision", ["float32", "tf32"])
def test_alexnet_trains_to_the_same_bits_and_float32_is_float32(precision):
    network = zoo.network("alexnet", (1, 28, 28), 10, resize=224)
    engine = StagesEngine(network, ops.StepConfig(momentum=0.9, precision=precision))
    rng = np.random.default_rng(0)
    data = engine.load(rng.integers(0, 256, (64, 28, 28), dtype=np.uint8), rng.integers(0, 10, 64).astype(np.uint8))
    theta = network.init_parameters(0)
    offsets = np.array([0, 16, 16, 32, 48, 64], np.int32)  # the first runs as it is, the others are one recording
    plan = Steps(np.arange(64, dtype=np.int32), offsets, np.full(5, 0.01, np.float32))
    start = Replica(theta, np.zeros_like(theta))
    first, again = (engine.run(start, data, plan) for _ in range(2))
    np.testing.assert_array_equal(first.replica.theta, again.replica.theta)
    assert (first.loss, first.correct) == (again.loss, again.correct)
    other = ArrayEngine(network, ops.StepConfig(momentum=0.9), device="cuda")  # the operators composed
    moved, expected = first.replica.theta - theta, other.run(start, data, plan).replica.theta - theta
    error = np.linalg.norm(moved - expected) / np.linalg.norm(expected)
    assert error < 1e-4 if precision == "float32" else 1e-5 < error < 2e-2


def test_rounds_on_the_device_have_the_bits_of_those_averaged_on_the_host():
    engine = StagesEngine(NETWORK, STEP_CONFIG)
    data, theta = engine.load(IMAGES, LABELS), NETWORK.init_parameters(3)
    start = Replica(theta, np.zeros_like(theta))
    rounds = [RoundSteps((steps(8, 4), steps(6), steps(5, 5)), AveragingRule(0.7, 0.8)) for _ in range(2)]
    ours = list(engine.run_rounds(start, np.zeros_like(theta), data, rounds))
    theirs = list(OneByOne.run_rounds(engine, start, np.zeros_like(theta), data, rounds))
    for one, other in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(one.theta, other.theta)
        for name in ("examples", "losses", "correct", "distances", "length", "travelled"):
            assert getattr(one, name) == getattr(other, name), name
    np.testing.assert_array_equal(ours[-1].outer, theirs[-1].outer)
