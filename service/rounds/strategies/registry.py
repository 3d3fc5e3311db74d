"""Strategies by name: those beside this file, and those of other packages.

A module beside this file that has a function `from_config` is a strategy: `post_local_sgd.py` is `post-local-sgd`.
Another package announces such a function of its own as an entry point in its pyproject.toml:

    [project.entry-points."atelier.strategies"]
    fedadam = "my_package.fedadam:from_config"
"""

from collections.abc import Callable, Iterable
from functools import cache

from service.config import AveragingConfig
from service.errors import InvalidInput
from service.extensions import Extensions
from service.rounds.strategies.base import Strategy

STRATEGIES = Extensions("strategy", "service.rounds.strategies", "from_config", "atelier.strategies")

OF_EVERY_STRATEGY = ("strategy", "shards", "lr_scaling", "final_average")
"""Options of averaging that work with every strategy; the others are read by some."""

FromConfig = Callable[[AveragingConfig], Strategy]


def names() -> list[str]:
    """The names of all strategies that can be found."""
    return STRATEGIES.names()


def strategy_for(config: AveragingConfig) -> Strategy:
    """The strategy that is configured. Raises InvalidInput where there is none of that name."""
    return _from_config(config.strategy)(config)


def unread_options(config: AveragingConfig, given: Iterable[str]) -> list[str]:
    """Which options the configured strategy doesn't read: without them it is the same value.

    Args:
        config: with these options.
        given: the names of the options.
    """
    strategy = strategy_for(config)

    def is_read(name: str) -> bool:
        default = AveragingConfig.model_fields[name].default
        return getattr(config, name) == default or strategy_for(config.model_copy(update={name: default})) != strategy

    return [name for name in given if name not in OF_EVERY_STRATEGY and not is_read(name)]


@cache
def _from_config(name: str) -> FromConfig:
    found = STRATEGIES.find(name)
    if found is None:
        raise InvalidInput(f"strategy must be one of {', '.join(names())}, got {name!r}")
    from_config: FromConfig = getattr(found, "from_config", found)
    return from_config
