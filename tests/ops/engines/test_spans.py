"""Several shards and rounds in one call are the single ones, one after another."""

import numpy as np
import pytest

from ops.averaging import average
from ops.engines.array import ArrayEngine
from ops.engines.base import AveragingRule, RoundSteps
from ops.testing.cases import NETWORKS, STEP_CONFIGS, pictures, replica, steps

NETWORK = NETWORKS["plain"]


@pytest.fixture(scope="module")
def engine():
    return ArrayEngine(NETWORK, STEP_CONFIGS[1])


def test_rounds_are_steps_then_an_average_and_the_last_tells_the_velocities(engine):
    data, start = engine.load(*pictures(NETWORK)), replica(NETWORK)
    rule = AveragingRule(outer_lr=0.7, outer_momentum=0.4, reset_velocity=True)
    rounds = [RoundSteps((steps(5), steps(4, 3), steps(0)), rule), RoundSteps((steps(6, 2),))]
    outer = np.ones_like(start.theta)
    results = list(engine.run_rounds(start, outer, data, iter(rounds)))
    for result, round_ in zip(results, rounds, strict=True):
        alone = [engine.run(start, data, plan) for plan in round_.shards]
        examples = [each.examples for each in alone]
        after = average([each.replica for each in alone], examples, start.theta, outer, round_.rule)
        np.testing.assert_array_equal(result.theta, after.replica.theta)
        assert result.examples == tuple(examples)
        assert result.losses == tuple(each.loss for each in alone)
        assert result.distances[0] == pytest.approx(np.linalg.norm(alone[0].replica.theta - start.theta) ** 2, rel=1e-5)
        start, outer = after.replica, after.outer
    assert results[0].velocity is None
    np.testing.assert_array_equal(results[1].velocity, start.velocity)
    np.testing.assert_array_equal(results[1].outer, outer)


def test_averaging_after_every_step_is_a_step_of_the_whole_batch():
    engine, start = ArrayEngine(NETWORK, STEP_CONFIGS[3]), replica(NETWORK)
    data, whole = engine.load(*pictures(NETWORK)), steps(12)
    parts = [
        type(whole)(whole.examples[low:high], np.array([0, high - low], np.int32), whole.rates, whole.seed, whole.epoch)
        for low, high in ((0, 5), (5, 12))
    ]
    (result,) = engine.run_rounds(start, np.zeros_like(start.theta), data, [RoundSteps(parts)])
    # rounding: the same gradients, summed in another order
    np.testing.assert_allclose(result.theta, engine.run(start, data, whole).replica.theta, rtol=0, atol=1e-6)
