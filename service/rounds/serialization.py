"""Vectors on their way between processes: all zeros, as velocities are without momentum, travel as their length."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Zeros:
    """Stands for a vector of zeros.

    Attributes:
        size: how many there are.
        dtype: their type, as NumPy spells it.
    """

    size: int
    dtype: str


Packed = NDArray[Any] | Zeros
"""A vector, or what stands for it."""


def pack(vector: NDArray[Any]) -> Packed:
    """What to send for a vector. A negative zero is not taken for a zero: no bit may change on the way."""
    return vector if vector.view(np.uint8).any() else Zeros(vector.size, vector.dtype.str)


def unpack(packed: Packed) -> NDArray[Any]:
    """The vector again."""
    return np.zeros(packed.size, packed.dtype) if isinstance(packed, Zeros) else packed
