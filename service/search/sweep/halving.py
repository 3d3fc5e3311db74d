"""Successive halving: many trials begin, and those that look best go on for longer; a function of their figures.

After K. Jamieson and A. Talwalkar, Non-stochastic best arm identification and hyperparameter optimization, 2016.
`promotion` says when it is decided who goes on, `brackets` which trials are compared.

    rung       epochs    trials, with a factor of 3
    0               1    27
    1               3     9
    2               9     3
    3              27     1
"""

from collections.abc import Mapping


def rungs(epochs: int, min_epochs: int, factor: int) -> list[int]:
    """After how many epochs trials are compared; the last rung is the end of the training.

    Args:
        epochs: how many a whole training has.
        min_epochs: how many every trial gets.
        factor: by how much each rung is longer than the one before.
    """
    found = []
    while min_epochs < epochs:
        found.append(min_epochs)
        min_epochs *= factor
    return [*found, epochs]


def promoted(merits: Mapping[int, float], factor: int) -> list[int]:
    """The trials that go on: one of so many, the best ones, at least one. Of equal ones the first goes on.

    Args:
        merits: what the trials of a rung are compared by, more being better, by the trial's number.
        factor: one of so many goes on.
    """
    best_first = sorted(merits, key=lambda trial: (-merits[trial], trial))
    return sorted(best_first[: max(1, len(merits) // factor)])
