"""What one call works in."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ops.engines.base import Floats
from ops.engines.simd.draws import ROWS
from ops.engines.simd.layout import Layout

ALIGNMENT = 64
"""Bytes in a cache line, and in the widest vector."""


class Memory:
    """Room for a call's numbers: parameters, activations and gradients, draws, and the bytes of a block's images.

    packed: the parameters that `floats` still holds from the call before, where nobody can have changed them since.
    """

    def __init__(self, layout: Layout) -> None:
        self.floats: Floats = _aligned(layout.size, np.float32)
        self.draws: NDArray[np.int32] = _aligned(ROWS * layout.lanes, np.int32)
        self.pixels: NDArray[np.uint8] = _aligned(layout.lanes * layout.pixels, np.uint8)
        self.result = np.zeros(2, np.float64)
        self.packed: Floats | None = None
        self.addresses = tuple(array.ctypes.data for array in (self.floats, self.draws, self.pixels))


def _aligned(count: int, dtype: type[np.generic]) -> NDArray:
    """Zeros that begin where a cache line does, as vector loads want it."""
    size = count * np.dtype(dtype).itemsize
    buffer = np.zeros(size + ALIGNMENT, np.uint8)
    skip = -buffer.ctypes.data % ALIGNMENT
    return buffer[skip : skip + size].view(dtype)
