"""Which array module an array belongs to: NumPy, or CuPy when the array lives on a GPU."""

from types import ModuleType
from typing import Any

import numpy as np

Array = Any
"""A NumPy or CuPy array: the two share the interface that the operators use."""


def array_module(*arrays: Array) -> ModuleType:
    """`cupy` if any of the arrays is CuPy's, else `numpy`; CuPy is imported by then, never by us."""
    for array in arrays:
        if type(array).__module__.partition(".")[0] == "cupy":
            import cupy

            return cupy
    return np
