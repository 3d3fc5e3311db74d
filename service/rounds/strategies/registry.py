"""Strategies by name: those beside this file, and those of other packages.

A module beside this file that has a function `from_config` is a strategy: `post_local_sgd.py` is `post-local-sgd`.
Another package announces such a function of its own as an entry point in its pyproject.toml:

    [project.entry-points."atelier.strategies"]
    fedadam = "my_package.fedadam:from_config"
"""

import pkgutil
from collections.abc import Callable, Iterable
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path

from service.config import AveragingConfig
from service.errors import InvalidInput
from service.rounds.strategies.base import Strategy

GROUP = "atelier.strategies"
"""The group of the entry points."""

OF_EVERY_STRATEGY = ("strategy", "shards", "lr_scaling", "final_average")
"""Options of averaging that work with every strategy; the others are read by some."""

FromConfig = Callable[[AveragingConfig], Strategy]


def names() -> list[str]:
    """The names of all strategies that can be found."""
    return sorted(_own() | {point.name for point in entry_points(group=GROUP)})


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
    if name in _own():
        own: FromConfig = import_module(f"{__package__}.{name.replace('-', '_')}").from_config
        return own
    for point in entry_points(group=GROUP, name=name):
        try:
            foreign: FromConfig = point.load()
        except (ImportError, AttributeError) as error:
            raise InvalidInput(f"strategy {name!r} can't be imported: {error}") from error
        return foreign
    raise InvalidInput(f"strategy must be one of {', '.join(names())}, got {name!r}")


def _own() -> frozenset[str]:
    folder = str(Path(__file__).parent)
    modules = [import_module(f"{__package__}.{found.name}") for found in pkgutil.iter_modules([folder])]
    own = [module.__name__.rpartition(".")[2] for module in modules if hasattr(module, "from_config")]
    return frozenset(name.replace("_", "-") for name in own)
