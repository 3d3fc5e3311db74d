"""How vectors travel between processes: one of zeros goes as its length.

Velocities are such vectors where the steps have no momentum, and then they are half of what a round sends.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Zeros:
    """Stands for a vector of so many zeros."""

    size: int
    dtype: str


Sent = NDArray[Any] | Zeros
"""A vector, or what stands for it."""


def packed(vector: NDArray[Any]) -> Sent:
    """What to send for a vector. A negative zero is not taken for a zero: no bit may change on the way."""
    return vector if vector.view(np.uint8).any() else Zeros(vector.size, vector.dtype.str)


def unpacked(sent: Sent) -> NDArray[Any]:
    """The vector again."""
    return np.zeros(sent.size, sent.dtype) if isinstance(sent, Zeros) else sent
