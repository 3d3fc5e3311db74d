"""Shards side by side and rounds one behind the other on a GPU: the bits of single ones averaged by NumPy."""

import numpy as np
import pytest

import tests.gpu.needs_gpu  # noqa: F401 -- skips this module without a GPU
from ops import zoo
from ops.engines.base import AveragingRule, RoundSteps
from ops.engines.cuda import CudaEngine
from ops.engines.spans import rounds_on_host
from ops.testing.cases import NETWORKS, STEP_CONFIGS, pictures, replica, steps
from tests.ops.engines.cuda.test_rounds import FIELDS, RULES

pytestmark = pytest.mark.gpu

LENET = zoo.network("lenet", (1, 28, 28), 10)


@pytest.mark.parametrize("network", [LENET, NETWORKS["dropout"]], ids=lambda network: network.name)
def test_each_shard_of_a_launch_ends_where_it_would_alone(network):
    engine = CudaEngine(network, STEP_CONFIGS[1])
    data, plans = engine.load(*pictures(network)), [steps(30, 7, 1), steps(17), steps(), steps(64, 64, 64)]
    starts = [replica(network, seed) for seed in range(4)]
    for together, start, plan in zip(engine.run_shards(starts, data, plans), starts, plans, strict=True):
        alone = engine.run(start, data, plan)
        np.testing.assert_array_equal(together.replica.theta, alone.replica.theta)
        np.testing.assert_array_equal(together.replica.velocity, alone.replica.velocity)
        assert (together.loss, together.correct) == (alone.loss, alone.correct)


@pytest.mark.parametrize("network", [LENET, NETWORKS["plain"]], ids=lambda network: network.name)
@pytest.mark.parametrize("rule", RULES, ids=str)
def test_rounds_in_one_call_are_rounds_averaged_by_numpy(network, rule):
    engine, start = CudaEngine(network, STEP_CONFIGS[1]), replica(network)
    data, several = engine.load(*pictures(network)), RoundSteps((steps(5), steps(40, 3), steps(0)), rule)
    rounds = [RoundSteps((steps(50),)), *[several] * 9, RoundSteps([steps(number) for number in range(1, 17)])]
    outer = start.theta / 3
    ours = list(engine.run_rounds(start, outer, data, iter(rounds)))
    for mine, theirs in zip(ours, rounds_on_host(engine, start, outer, data, rounds), strict=True):
        for field in FIELDS:
            np.testing.assert_array_equal(getattr(mine, field), getattr(theirs, field), err_msg=field)


def test_two_calls_at_once_do_not_disturb_each_other():
    engine, start = CudaEngine(LENET, STEP_CONFIGS[0]), replica(LENET)
    data, rounds = engine.load(*pictures(LENET)), [RoundSteps((steps(20), steps(22)), AveragingRule(0.8, 0.5))] * 12
    expected = list(engine.run_rounds(start, start.velocity, data, rounds))
    for pair in zip(*(engine.run_rounds(start, start.velocity, data, rounds) for _ in range(2)), expected, strict=True):
        np.testing.assert_array_equal(pair[0].theta, pair[2].theta)
        np.testing.assert_array_equal(pair[1].theta, pair[2].theta)
