"""Which examples are kept out of a training, to choose settings by: a pure function of labels, number and seed."""

from collections.abc import Mapping

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
    return draw_from_classes(labels, dict(enumerate(quotas.tolist())), seed, "holdout").astype(np.int32)


def draw_from_classes(
    labels: NDArray[np.uint8], counts: Mapping[int, int], seed: int, purpose: str
) -> NDArray[np.intp]:
    """Draw so many examples of each class.

    Args:
        labels: (N,) the class of each example.
        counts: how many to draw, by class.
        seed: decides which.
        purpose: keeps draws for one purpose independent of those for another.

    Returns:
        Their numbers, in ascending order.
    """
    drawn = [
        generator(seed, purpose, label).permutation(np.flatnonzero(labels == label))[:count].copy()
        for label, count in counts.items()
    ]
    return np.sort(np.concatenate(drawn))
