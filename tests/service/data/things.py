"""Images of noise with three classes in turns, for stores: what is in them doesn't matter, but that it comes back."""

import numpy as np

from tests.data import Arrays

NAMES = ("shirt", "shoe", "bag")
SHAPE = (4, 5)


def arrays(count: int, seed: int) -> Arrays:
    """Images (count, 4, 5) and their labels (count,)."""
    random = np.random.default_rng(seed)
    return random.integers(0, 256, (count, *SHAPE), np.uint8), (np.arange(count) % len(NAMES)).astype(np.uint8)
