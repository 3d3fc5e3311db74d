"""Formats by name: those beside this file, and those of other packages.

A module beside this file that has the functions `recognizes` and `read` is a format. Another package announces such a
module of its own as an entry point in its pyproject.toml:

    [project.entry-points."atelier.formats"]
    npz = "my_package.npz"
"""

import pkgutil
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path

from service.data.formats.base import Format
from service.errors import InvalidInput

GROUP = "atelier.formats"
"""The group of the entry points."""


def names() -> list[str]:
    """The names of all formats that can be found."""
    return sorted(_own().keys() | {point.name for point in entry_points(group=GROUP)})


def format_of(source: Path) -> Format | None:
    """The format of a file or folder: the first that recognizes it, those of this package first."""
    for format_ in (*_own().values(), *_foreign()):
        if format_.recognizes(source):
            return format_
    return None


@cache
def _own() -> dict[str, Format]:
    modules = {
        found.name: import_module(f"{__package__}.{found.name}")
        for found in pkgutil.iter_modules([str(Path(__file__).parent)])
    }
    return {name: module for name, module in modules.items() if hasattr(module, "recognizes")}


def _foreign() -> list[Format]:
    formats = []
    for point in entry_points(group=GROUP):
        try:
            formats.append(point.load())
        except (ImportError, AttributeError) as error:
            raise InvalidInput(f"format {point.name!r} can't be imported: {error}") from error
    return formats
