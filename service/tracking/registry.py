"""Trackers by name: those beside this file, and those of other packages.

A module beside this file that has the functions `check` and `tracker` is a tracker. Another package announces such a
module of its own as an entry point in its pyproject.toml:

    [project.entry-points."atelier.trackers"]
    aim = "my_package.aim"
"""

import pkgutil
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path

from service.errors import InvalidInput
from service.tracking.base import TrackerModule

GROUP = "atelier.trackers"
"""The group of the entry points."""


def names() -> list[str]:
    """The names of all trackers that can be found."""
    return sorted(_own().keys() | {point.name for point in entry_points(group=GROUP)})


def find(name: str) -> TrackerModule:
    """The tracker of that name. Raises InvalidInput where there is none, or it can't be imported."""
    if name in _own():
        return _own()[name]
    for point in entry_points(group=GROUP, name=name):
        try:
            foreign: TrackerModule = point.load()
        except (ImportError, AttributeError) as error:
            raise InvalidInput(f"tracker {name!r} can't be imported: {error}") from error
        return foreign
    raise InvalidInput(f"track must be one of {', '.join(names())}, or several with commas between them, got {name!r}")


def check_trackers(track: str) -> None:
    """Raise AtelierError where a new run can't be tracked. track: the names, with commas between them."""
    for name in split(track):
        find(name).check()


def split(track: str) -> list[str]:
    """The names of trackers, each once."""
    return list(dict.fromkeys(filter(None, track.split(","))))


@cache
def _own() -> dict[str, TrackerModule]:
    modules = {
        found.name: import_module(f"{__package__}.{found.name}")
        for found in pkgutil.iter_modules([str(Path(__file__).parent)])
        if found.name != "__main__"
    }
    return {name: module for name, module in modules.items() if hasattr(module, "tracker")}
