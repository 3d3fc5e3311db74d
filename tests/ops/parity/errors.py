"""The largest relative error that a comparison met."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np


@dataclass
class Largest:
    """Checks arrays case by case and remembers the worst.

    An array's relative error is its largest difference over its largest expected number (at least 1/100, where sums
    of standard normals happen to cancel): float32 holds 6e-8, sums of up to 150 products lose some tens of that.
    """

    name: str
    error: float = 0.0
    cases: int = 0
    allowed: float = 1e-5

    def check(self, ours: Iterable[np.ndarray], theirs: Iterable[np.ndarray]) -> None:
        for mine, other in zip(ours, theirs, strict=True):
            assert mine.shape == other.shape
            assert mine.dtype == other.dtype == np.float32
            largest = max(float(np.abs(other).max(initial=0)), 0.01)
            self.error = max(self.error, float(np.abs(mine - other).max(initial=0)) / largest)
        assert self.error <= self.allowed
        self.cases += 1

    def finish(self, cases: int, report: Callable[[str], None]) -> None:
        """Reports, and makes sure that as many cases were met as were promised."""
        report(f"parity: {self.name}: {self.cases} cases, largest relative error {self.error:.1e}")
        assert self.cases >= cases
