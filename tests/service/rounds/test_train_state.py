from hashlib import sha256
from struct import pack

import numpy as np

from ops.engines.base import Replica
from service.rounds.train_state import TrainState, parameters_digest

THETA, VELOCITY, OUTER = (np.array(values, np.float32) for values in ([1.5, -2.0], [3.0, 4.0], [5.0, 6.0, 7.0]))
STATE = TrainState(Replica(THETA, VELOCITY), OUTER)


def test_the_digest_is_that_of_the_parameters_as_little_endian_floats():
    expected = sha256(pack("<2f", 1.5, -2.0)).hexdigest()
    assert STATE.digest == parameters_digest(THETA) == expected
    assert parameters_digest(THETA.astype(">f4")) == expected
    assert parameters_digest(np.array([1.5, 0.0, -2.0, 0.0], np.float32)[::2]) == expected


def test_a_digest_does_not_depend_on_velocities():
    assert TrainState(Replica(THETA, OUTER[:2]), VELOCITY).digest == STATE.digest
    assert TrainState(Replica(VELOCITY, VELOCITY), OUTER).digest != STATE.digest


def test_without_velocity_all_else_stays():
    still = STATE.without_velocity()
    assert still.replica.theta is THETA
    assert still.outer is OUTER
    np.testing.assert_array_equal(still.replica.velocity, np.zeros(2, np.float32))
    assert STATE.replica.velocity is VELOCITY
