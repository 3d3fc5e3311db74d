"""Whether an operator is left to the kernels of `ops.backends.cpu`."""

import numpy as np

from ops.arrays import Array

LEAST_NUMBERS = 2**15
"""Numbers of an array from which on a kernel is worth its call, and half a second when it is compiled."""


def on_vectors(*arrays: Array) -> bool:
    """Whether all arrays are large, float32, without gaps and on the host, and the processor has vectors."""
    return all(
        isinstance(array, np.ndarray)
        and array.dtype == np.float32
        and array.size >= LEAST_NUMBERS
        and array.flags.c_contiguous
        for array in arrays
    ) and bool(_lanes())


def _lanes() -> int:
    from ops.engines.simd.cpu import cpu  # it imports LLVM

    return cpu().lanes
