import pickle

import numpy as np
import pytest

from ops.engines.base import Replica
from service.rounds.serialization import pack, unpack
from service.rounds.shard_update import PartialSum, RoundStats, ShardUpdate
from service.rounds.train_state import TrainState

SIZE = 10_000
ZEROS = np.zeros(SIZE, np.float32)


def drawn(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=SIZE).astype(np.float32)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_zeros_travel_as_their_length_and_arrive_as_zeros(dtype):
    sent = pack(np.zeros(SIZE, dtype))
    assert len(pickle.dumps(sent)) < 200
    arrived = unpack(sent)
    assert (arrived.dtype, arrived.shape, arrived.any()) == (dtype, (SIZE,), False)


def test_a_negative_zero_is_no_zero():
    vector = ZEROS.copy()
    vector[7] = -0.0
    assert np.signbit(unpack(pack(vector))[7])


def state() -> TrainState:
    return TrainState(Replica(drawn(), ZEROS), ZEROS)


STATS = RoundStats(1, 0.5, 1, 0.25, 0.1)


@pytest.mark.parametrize(
    "value",
    [
        TrainState(Replica(drawn(1), drawn(2)), drawn(3)),
        state(),
        ShardUpdate(Replica(drawn(4), ZEROS), STATS, state()),
        ShardUpdate(Replica(drawn(4), drawn(5)), STATS, None),
        PartialSum(drawn(6).astype(np.float64), ZEROS.astype(np.float64), STATS, state()),
    ],
)
def test_what_rounds_hand_over_arrives_as_it_was_sent(value):
    def content(of) -> list:
        if isinstance(of, np.ndarray):
            return [of.dtype.str, of.tobytes()]
        return [content(inner) for inner in vars(of).values()] if hasattr(of, "__dict__") else [of]

    assert content(pickle.loads(pickle.dumps(value))) == content(value)


def test_without_momentum_a_state_is_as_long_as_its_parameters():
    assert len(pickle.dumps(state())) < ZEROS.nbytes + 1000
