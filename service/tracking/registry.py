"""Trackers by name: those beside this file, and those of other packages.

A module beside this file that has the functions `check` and `tracker` is a tracker. Another package announces such a
module of its own as an entry point in its pyproject.toml:

    [project.entry-points."atelier.trackers"]
    aim = "my_package.aim"
"""

from service.errors import InvalidInput
from service.extensions import Extensions
from service.tracking.base import TrackerModule

TRACKERS = Extensions("tracker", "service.tracking", "tracker", "atelier.trackers")


def names() -> list[str]:
    """The names of all trackers that can be found."""
    return TRACKERS.names()


def find(name: str) -> TrackerModule:
    """The tracker of that name. Raises InvalidInput where there is none, or it can't be imported."""
    found: TrackerModule | None = TRACKERS.find(name)
    if found is None:
        raise InvalidInput(
            f"track must be one of {', '.join(names())}, or several with commas between them, got {name!r}"
        )
    return found


def check_trackers(track: str) -> None:
    """Raise AtelierError where a new run can't be tracked. track: the names, with commas between them."""
    for name in split(track):
        find(name).check()


def split(track: str) -> list[str]:
    """The names of trackers, each once."""
    return list(dict.fromkeys(filter(None, track.split(","))))
