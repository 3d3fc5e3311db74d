"""Which examples are kept out of a training, to choose settings by: a pure function of labels, number and seed."""

import numpy as np
from numpy.typing import NDArray

from ops.random import generator


def stratified_holdout(labels: NDArray[np.uint8], count: int, seed: int) -> NDArray[np.int32]:
    """Draw examples so that every class has the same share among them as among all, to the nearest whole number.

    Where shares don't come out even, the classes with the largest remainders give one more. A class gives its last
    example only where the others have no more to give.

    Args:
        labels: (N,) the class of each example.
        count: how many to draw, less than N.
        seed: decides which.

    Returns:
        Their numbers (count,), in ascending order.
    """
    sizes = np.bincount(labels)
    quotas = sizes * count // len(labels)
    remainders = sizes * count - quotas * len(labels)
    for _ in range(count - int(quotas.sum())):
        spare = sizes - quotas
        best = max(np.flatnonzero(spare), key=lambda label: (spare[label] > 1, remainders[label], -label))
        quotas[best] += 1
        remainders[best] = -1
    drawn = [
        generator(seed, "holdout", label).permutation(np.flatnonzero(labels == label))[:quota]
        for label, quota in enumerate(quotas)
    ]
    return np.sort(np.concatenate(drawn)).astype(np.int32)
