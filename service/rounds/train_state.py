"""The state that a training has between two rounds."""

from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import numpy as np

from ops.engines.base import Floats, Replica
from ops.pieces import zeros_as
from service.config import TrainConfig
from service.rounds.serialization import Packed, pack, unpack


@dataclass(frozen=True)
class TrainState:
    """Everything that a round begins with. With the job it decides all that follows.

    Attributes:
        replica: what every shard starts from.
        outer: a float32 vector that the strategy keeps between rounds, such as the velocity of an outer optimizer.
        ema: the moving average of parameters and buffers; None where the run keeps none.
    """

    replica: Replica
    outer: Floats
    ema: Floats | None = None

    @property
    def published(self) -> Floats:
        """Parameters and buffers as they are evaluated and published: their moving average, where there is one."""
        return self.replica.theta if self.ema is None else self.ema

    @property
    def digest(self) -> str:
        """That of what would be published. See `parameters_digest`."""
        return parameters_digest(self.published)

    @property
    def theta_digest(self) -> str:
        """That of the parameters themselves, where something else would be published; else empty."""
        return "" if self.ema is None else parameters_digest(self.replica.theta)

    @property
    def digests(self) -> tuple[str, str]:
        """`digest` and `theta_digest`: together they tell a state from others."""
        return self.digest, self.theta_digest

    @property
    def nbytes(self) -> int:
        """How much memory it takes."""
        vectors = (self.replica.theta, self.replica.velocity, self.outer, self.ema)
        return sum(vector.nbytes for vector in vectors if vector is not None)

    def without_velocity(self) -> "TrainState":
        """As much of the state as an average needs of where its round began."""
        return TrainState(Replica(self.replica.theta, zeros_as(self.replica.velocity)), self.outer, self.ema)

    def __reduce__(self) -> tuple[Any, ...]:
        return _unpack, (self.replica.theta, pack(self.replica.velocity), pack(self.outer), self.ema)


def parameters_digest(theta: Floats) -> str:
    """SHA-256 of the parameters' bytes (float32, little-endian), in hex."""
    return sha256(np.ascontiguousarray(theta, "<f4").data).hexdigest()


def _unpack(theta: Floats, velocity: Packed, outer: Packed, ema: Floats | None) -> TrainState:
    return TrainState(Replica(theta, unpack(velocity)), unpack(outer), ema)


def state_vectors(config: TrainConfig) -> int:
    """How many vectors a state has: parameters, velocity, outer velocity, and their moving average if it is kept."""
    return 4 if config.ema else 3
