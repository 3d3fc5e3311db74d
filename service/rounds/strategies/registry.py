"""Strategies by name: those beside this file, and those of other packages.

A module beside this file that has a function `from_config` is a strategy: `slow_mo.py` would be `slow-mo`. Another
package announces such a function of its own as an entry point in its pyproject.toml:

    [project.entry-points."atelier.strategies"]
    fedadam = "my_package.fedadam:from_config"
"""

import pkgutil
from collections.abc import Callable
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path

from service.config import AveragingConfig
from service.errors import InvalidInput
from service.rounds.strategies.base import Strategy

GROUP = "atelier.strategies"
"""The group of the entry points."""

FromConfig = Callable[[AveragingConfig], Strategy]


def names() -> list[str]:
    """The names of all strategies that can be found."""
    return sorted(_own() | {point.name for point in entry_points(group=GROUP)})


def strategy_for(config: AveragingConfig) -> Strategy:
    """The strategy that is configured. Raises InvalidInput where there is none of that name."""
    return _from_config(config.strategy)(config)


@cache
def _from_config(name: str) -> FromConfig:
    if name in _own():
        found: FromConfig = import_module(f"{__package__}.{name.replace('-', '_')}").from_config
        return found
    for point in entry_points(group=GROUP, name=name):
        loaded: FromConfig = point.load()
        return loaded
    raise InvalidInput(f"strategy must be one of {', '.join(names())}, got {name!r}")


@cache
def _own() -> frozenset[str]:
    folder = str(Path(__file__).parent)
    modules = (import_module(f"{__package__}.{found.name}") for found in pkgutil.iter_modules([folder]))
    own = (module for module in modules if hasattr(module, "from_config"))
    return frozenset(module.__name__.rpartition(".")[2].replace("_", "-") for module in own)
