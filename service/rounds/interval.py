"""How many steps the shards take between two averages, H."""

from math import sqrt

REACH = 4
"""By what factor an H that follows the dispersion may be longer or shorter than --average-every, at most."""


def geometric(first: int, last: int, share: float) -> int:
    """H from `first` to `last`, by the same factor for every equal part of the way; share in [0, 1] tells how far.

    Averaging often at first and seldom later is post-local SGD with many stages instead of two (Lin et al., 2020);
    Haddadpour et al. (Local SGD with periodic averaging, 2019) let H grow likewise. With `first` above `last` H
    shrinks, as in AdaComm (Wang and Joshi, 2019).
    """
    return max(1, round(first * (last / first) ** share))


def following(every: int, dispersion: float, target: float) -> int:
    """H where replicas were seen to disperse by so much a step, and `every` is right for `target`.

    An average costs c steps' time, c / H for each step. The replicas' squared distance from each other grows with H,
    and harm with it: at a dispersion of s a step, s H. The sum of both is least at an H that goes with 1 / sqrt(s),
    the law of AdaComm (Wang and Joshi, Adaptive communication strategies, 2019, section 4).
    """
    factor = sqrt(target / dispersion) if dispersion > 0 else REACH
    return max(1, round(every * min(max(factor, 1 / REACH), REACH)))
