"""How many steps the shards take between two averages, H, as a function of how far the run has come."""


def geometric(first: int, last: int, share: float) -> int:
    """H from `first` to `last`, by the same factor for every equal part of the way; share in [0, 1] tells how far.

    Averaging often at first and seldom later is post-local SGD with many stages instead of two (Lin et al., 2020);
    Haddadpour et al. (Local SGD with periodic averaging, 2019) let H grow likewise. With `first` above `last` H
    shrinks, as in AdaComm (Wang and Joshi, 2019).
    """
    return max(1, round(first * (last / first) ** share))
