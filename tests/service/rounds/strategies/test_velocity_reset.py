import numpy as np

from service.rounds.strategies import Progress
from service.rounds.strategies.diloco import DiLoCo
from service.rounds.strategies.growing_interval import GrowingInterval
from service.rounds.strategies.velocity_reset import VelocityReset
from tests.service.rounds.strategies.states import drawn


def test_velocities_are_zero_after_an_average_and_all_else_is_the_other_strategys():
    start, average = drawn()
    inner = DiLoCo(7, lr=0.7, momentum=0.9)
    state, other = VelocityReset(inner).update(start, average), inner.update(start, average)
    assert average.velocity.any()
    assert not state.replica.velocity.any()
    assert state.replica.velocity.dtype == np.float32
    np.testing.assert_array_equal(state.replica.theta, other.replica.theta)
    np.testing.assert_array_equal(state.outer, other.outer)


def test_intervals_and_what_is_kept_are_the_other_strategys():
    inner, (start, _) = GrowingInterval(2, DiLoCo(8, lr=0.7, momentum=0.9)), drawn()
    assert [VelocityReset(inner).interval(Progress(step, 2)).steps for step in (0, 1, 2)] == [2, 4, 8]
    kept = VelocityReset(inner).init(start.replica.theta)
    assert (kept.shape, kept.dtype, kept.any()) == (start.outer.shape, np.float32, False)
