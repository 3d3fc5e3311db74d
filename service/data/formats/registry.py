"""Formats by name: those beside this file, and those of other packages.

A module beside this file that has the functions `recognizes` and `read` is a format. Another package announces such a
module of its own as an entry point in its pyproject.toml:

    [project.entry-points."atelier.formats"]
    npy = "my_package.npy"
"""

import pkgutil
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path

from service.data.formats.base import Format
from service.errors import InvalidInput

GROUP = "atelier.formats"
"""The group of the entry points."""


@dataclass(frozen=True)
class Found:
    """A format that recognizes a source."""

    name: str
    format: Format

    @property
    def title(self) -> str:
        """What people call it: the first line of its docstring."""
        return (self.format.__doc__ or self.name).strip().partition("\n")[0].rstrip(".")


def names() -> list[str]:
    """The names of all formats that can be found."""
    return sorted(_own().keys() | {point.name for point in entry_points(group=GROUP)})


def find(source: Path) -> Found | None:
    """The format of a file or folder: the first that recognizes it, those of this package first."""
    own = (Found(name, format_) for name, format_ in _own().items())
    return next((found for formats in (own, _foreign()) for found in formats if _recognizes(found, source)), None)


def _recognizes(found: Found, source: Path) -> bool:
    try:
        return found.format.recognizes(source)
    except OSError:
        return False


@cache
def _own() -> dict[str, Format]:
    modules = {
        found.name: import_module(f"{__package__}.{found.name}")
        for found in pkgutil.iter_modules([str(Path(__file__).parent)])
    }
    return {name: module for name, module in modules.items() if hasattr(module, "recognizes")}


def _foreign() -> Iterator[Found]:
    for point in entry_points(group=GROUP):
        try:
            yield Found(point.name, point.load())
        except (ImportError, AttributeError) as error:
            raise InvalidInput(f"format {point.name!r} can't be imported: {error}") from error
