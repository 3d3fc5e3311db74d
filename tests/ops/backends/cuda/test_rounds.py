"""Rounds whose replicas stay on the device: the bits of shards one by one, averaged on the host."""

import numpy as np
import pytest

from ops.engines.base import AveragingRule, Replica, RoundSteps
from ops.engines.spans import OneByOne
from ops.engines.stages import StagesEngine
from ops.errors import OpsError
from tests.ops.backends.cuda.host import HostDevice
from tests.ops.engines.test_array import IMAGES, LABELS, NETWORK, STEP_CONFIG, steps

RULES = [AveragingRule(), AveragingRule(0.7, 0.8), AveragingRule(1.0, 0.5, reset_velocity=True)]


@pytest.fixture(scope="module")
def engine():
    return StagesEngine(NETWORK, STEP_CONFIG, HostDevice(order=1))


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("shards", [1, 2, 11])
def test_rounds_on_the_device_have_the_bits_of_those_averaged_on_the_host(engine, shards, rule):
    data = engine.load(IMAGES, LABELS)
    theta = NETWORK.init_parameters(3)
    start = Replica(theta, np.random.default_rng(1).normal(size=theta.shape).astype(np.float32) / 100)
    outer = np.random.default_rng(2).normal(size=theta.shape).astype(np.float32) / 100
    plan = [[steps(4 + shard % 3, 3, seed=shard, epoch=turn) for shard in range(shards)] for turn in range(2)]
    rounds = [RoundSteps(tuple(of_shards), rule) for of_shards in plan]
    rounds.append(RoundSteps((steps(5), steps()), rule))  # another number of shards, one without steps
    ours, theirs = (
        list(run(start, outer, data, iter(rounds)))
        for run in (engine.run_rounds, lambda *arguments: OneByOne.run_rounds(engine, *arguments))
    )
    for one, other in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(one.theta, other.theta)
        for name in ("examples", "losses", "correct", "distances", "length", "travelled"):
            assert getattr(one, name) == getattr(other, name), name
    for one, other in ((ours[-1].velocity, theirs[-1].velocity), (ours[-1].outer, theirs[-1].outer)):
        np.testing.assert_array_equal(one, other)
    assert all(one.velocity is None and one.outer is None for one in ours[:-1])


def test_a_round_without_examples_is_refused(engine):
    theta = NETWORK.init_parameters(3)
    start = Replica(theta, np.zeros_like(theta))
    with pytest.raises(OpsError, match="a round must have examples, got none in 2 shards"):
        list(engine.run_rounds(start, theta, engine.load(IMAGES, LABELS), [RoundSteps((steps(), steps(0)))]))
