"""Strategies of averaging, one a file, each named after its paper. A new one takes one file: see docs/extending.md."""

from service.rounds.strategies.base import Average, Interval, Progress, Strategy
from service.rounds.strategies.registry import names, strategy_for

__all__ = ["Average", "Interval", "Progress", "Strategy", "names", "strategy_for"]
