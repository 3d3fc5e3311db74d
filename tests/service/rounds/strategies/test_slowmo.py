import numpy as np

from service.config import AveragingConfig
from service.rounds.strategies import strategy_for
from service.rounds.strategies.slowmo import SlowMo
from service.rounds.strategies.velocity_reset import VelocityReset
from tests.service.rounds.strategies.states import drawn

GAMMA, ALPHA, BETA = 0.05, 0.7, 0.6


def test_the_slow_momentum_is_the_one_of_the_paper():
    """Algorithm 1, with the rate of the steps gamma in it, which cancels."""
    start, average = drawn()
    state = SlowMo(7, lr=ALPHA, momentum=BETA).update(start, average)
    u = BETA * (-start.outer.astype(np.float64) / GAMMA) + (start.replica.theta - average.theta) / GAMMA
    # one rounding to float32 of numbers near 1
    np.testing.assert_allclose(state.replica.theta, start.replica.theta - ALPHA * GAMMA * u, rtol=2e-7, atol=2e-7)
    np.testing.assert_allclose(state.outer, -GAMMA * u, rtol=2e-7, atol=2e-7)
    np.testing.assert_array_equal(state.replica.velocity, average.velocity)


def test_the_options_decide_whether_velocities_are_averaged_or_reset():
    given = {"strategy": "slowmo", "average_every": 9, "outer_lr": 0.5, "outer_momentum": 0.25}
    assert strategy_for(AveragingConfig(**given)) == SlowMo(9, 0.5, 0.25)
    assert strategy_for(AveragingConfig(**given, velocity="reset")) == VelocityReset(SlowMo(9, 0.5, 0.25))
