import numpy as np

from service.rounds.strategies import Progress
from service.rounds.strategies.fedavg import FedAvg
from tests.service.rounds.strategies.states import drawn


def test_the_parameters_become_the_average_and_nothing_is_kept():
    start, average = drawn()
    state = FedAvg(7).update(start, average)
    np.testing.assert_array_equal(state.replica.theta, average.theta.astype(np.float32))
    np.testing.assert_array_equal(state.replica.velocity, average.velocity)
    np.testing.assert_array_equal(state.outer, start.outer)


def test_the_interval_is_always_the_same():
    assert {FedAvg(7).interval(Progress(step, 90, 1.0)) for step in range(90)} == {(7, False)}
