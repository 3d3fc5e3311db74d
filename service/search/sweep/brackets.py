"""Brackets: trials that are compared with each other, and after how many epochs. A pure function of the settings.

Successive halving is one bracket. Hyperband (L. Li et al., Hyperband: a novel bandit-based approach to hyperparameter
optimization, 2018, algorithm 1) has one for each way to spend about the same number of epochs: many trials that are
compared early, or few that train for longer before. With 27 epochs and a factor of 3:

    bracket    trials    rungs              epochs together
    0              27    1, 3, 9, 27                     81
    1              12       3, 9, 27                     78
    2               6          9, 27                     90
    3               4             27                    108
"""

from dataclasses import dataclass

from service.search.sweep.halving import rungs


@dataclass(frozen=True)
class Bracket:
    """Trials that are compared with each other.

    Attributes:
        trials: their numbers.
        rungs: after how many epochs they are compared, the last being the end of the training.
    """

    trials: tuple[int, ...]
    rungs: tuple[int, ...]


def halving_bracket(trials: int, epochs: int, min_epochs: int, factor: int) -> list[Bracket]:
    """The one bracket of successive halving, with all trials. See `rungs` for the other arguments."""
    return [Bracket(tuple(range(trials)), tuple(rungs(epochs, min_epochs, factor)))]


def hyperband_brackets(trials: int, epochs: int, min_epochs: int, factor: int) -> list[Bracket]:
    """The brackets of Hyperband; the first ones have the first trials.

    Args:
        trials: how many there are; they are dealt out as the paper's are, in proportion, and each bracket gets one.
        epochs: how many a whole training has.
        min_epochs: how many every trial of the first bracket gets.
        factor: by how much each rung is longer than the one before.
    """
    lengths = rungs(epochs, min_epochs, factor)
    sizes, first, brackets = _sizes(len(lengths), factor), 0, list[Bracket]()
    for number, size in enumerate(sizes):
        others = len(sizes) - number - 1
        share = round(size * (trials - first) / sum(sizes[number:])) if others else trials - first
        count = max(1, min(share, trials - first - others))
        brackets.append(Bracket(tuple(range(first, first + count)), tuple(lengths[number:])))
        first += count
    return brackets


def hyperband_trials(epochs: int, min_epochs: int, factor: int) -> int:
    """How many trials the paper's brackets have."""
    return sum(_sizes(len(rungs(epochs, min_epochs, factor)), factor))


def _sizes(brackets: int, factor: int) -> list[int]:
    """The paper's numbers of trials, ceil((s_max + 1) / (s + 1) factor^s), from s = s_max down to 0."""
    return [-(-brackets * factor**s // (s + 1)) for s in reversed(range(brackets))]
