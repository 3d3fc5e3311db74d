"""The memory that one call works in."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ops.engines.base import Floats
from ops.engines.simd.codegen.lane_data import ROWS
from ops.engines.simd.program.layout import Layout

ALIGNMENT = 64
"""Bytes in a cache line, and in the widest vector."""


class Memory:
    """Room for a call's numbers.

    Attributes:
        floats: Parameters, values and gradients, as the layout places them.
        lane_data: What is known of each example of a block (see `ops.engines.simd.codegen.lane_data`).
        pixels: The bytes of a block's images.
        result: The summed loss, and how many examples were classified right.
        packed: The parameters that `floats` still holds from the call before, where nobody can have changed them.
        addresses: Of the first three, as the compiled program takes them.
    """

    def __init__(self, layout: Layout) -> None:
        self.floats: Floats = _aligned(layout.size, np.float32)
        self.lane_data: NDArray[np.int32] = _aligned(ROWS * layout.lanes, np.int32)
        self.pixels: NDArray[np.uint8] = _aligned(layout.lanes * layout.pixels, np.uint8)
        self.result = np.zeros(2, np.float64)
        self.packed: Floats | None = None
        self.addresses = tuple(array.ctypes.data for array in (self.floats, self.lane_data, self.pixels))


def _aligned(count: int, dtype: type[np.generic]) -> NDArray:
    """Zeros that begin where a cache line does, as vector loads need it."""
    size = count * np.dtype(dtype).itemsize
    buffer = np.zeros(size + ALIGNMENT, np.uint8)
    skip = -buffer.ctypes.data % ALIGNMENT
    return buffer[skip : skip + size].view(dtype)
