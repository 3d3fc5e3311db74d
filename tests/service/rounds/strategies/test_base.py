import numpy as np
import pytest

from ops.averaging import outer_update
from service.rounds.strategies import Strategy
from service.rounds.strategies.adacomm import AdaComm
from service.rounds.strategies.base import averaging_rule
from service.rounds.strategies.diloco import DiLoCo
from service.rounds.strategies.fedavg import FedAvg
from service.rounds.strategies.growing_interval import GrowingInterval
from service.rounds.strategies.post_local_sgd import PostLocalSGD
from service.rounds.strategies.slowmo import SlowMo
from service.rounds.strategies.velocity_reset import VelocityReset
from tests.service.rounds.strategies.states import drawn

DILOCO = DiLoCo(7, lr=0.7, momentum=0.9)


@pytest.mark.parametrize(
    "strategy",
    [
        FedAvg(7),
        DILOCO,
        DiLoCo(7, lr=1.0, momentum=0.9),
        DiLoCo(7, lr=0.7, momentum=0.0),
        DiLoCo(7, lr=1.0, momentum=0.0),
        VelocityReset(FedAvg(7)),
        VelocityReset(DILOCO),
        PostLocalSGD(0.2, 7, GrowingInterval(2, VelocityReset(DILOCO))),
        PostLocalSGD(0.2, 7, DILOCO, loss=1.5),
    ],
)
def test_an_engine_that_averages_by_a_strategys_rule_comes_to_the_same_bits(strategy: Strategy):
    rule = averaging_rule(strategy)
    assert rule is not None
    start, average = drawn()
    state = strategy.update(start, average)
    velocities = average.velocity.astype(np.float64)
    replica, outer = outer_update(average.theta, velocities, 1, start.replica.theta, start.outer, rule)
    for name in ("theta", "velocity"):
        np.testing.assert_array_equal(getattr(replica, name), getattr(state.replica, name))
    np.testing.assert_array_equal(outer, state.outer)


@pytest.mark.parametrize(
    "strategy", [SlowMo(7, 0.7, 0.9), VelocityReset(SlowMo(7, 0.7, 0.9)), AdaComm(1e-6, FedAvg(7))]
)
def test_other_strategies_have_no_such_rule(strategy: Strategy):
    assert averaging_rule(strategy) is None
