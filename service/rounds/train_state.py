"""The state that a training has between two rounds."""

from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import numpy as np

from ops.engines.base import Floats, Replica
from service.rounds.serialization import Packed, pack, unpack


@dataclass(frozen=True)
class TrainState:
    """Everything that a round begins with. With the job it decides all that follows.

    Attributes:
        replica: what every shard starts from.
        outer: a float32 vector that the strategy keeps between rounds, such as the velocity of an outer optimizer.
    """

    replica: Replica
    outer: Floats

    @property
    def digest(self) -> str:
        """See `parameters_digest`."""
        return parameters_digest(self.replica.theta)

    def without_velocity(self) -> "TrainState":
        """As much of the state as an average needs of where its round began."""
        return TrainState(Replica(self.replica.theta, np.zeros_like(self.replica.velocity)), self.outer)

    def __reduce__(self) -> tuple[Any, ...]:
        return _unpack, (self.replica.theta, pack(self.replica.velocity), pack(self.outer))


def parameters_digest(theta: Floats) -> str:
    """SHA-256 of the parameters' bytes (float32, little-endian), in hex."""
    return sha256(np.ascontiguousarray(theta, "<f4").data).hexdigest()


def _unpack(theta: Floats, velocity: Packed, outer: Packed) -> TrainState:
    return TrainState(Replica(theta, unpack(velocity)), unpack(outer))
