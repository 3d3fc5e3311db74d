"""The training service: data, rounds, averaging, runs, models, and the ways to reach them."""

__version__ = "0.1.0"
