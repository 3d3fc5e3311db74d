"""Formats by name: those beside this file, and those of other packages.

A module beside this file that has the functions `recognizes` and `read` is a format. Another package announces such a
module of its own as an entry point in its pyproject.toml:

    [project.entry-points."atelier.formats"]
    npy = "my_package.npy"
"""

from dataclasses import dataclass
from pathlib import Path

from service.data.formats.base import Format
from service.extensions import Extensions

FORMATS = Extensions("format", "service.data.formats", "recognizes", "atelier.formats")


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
    return FORMATS.names()


def find(source: Path) -> Found | None:
    """The format of a file or folder: the first that recognizes it, those of this package first."""
    return next((found for found in (Found(*each) for each in FORMATS.all()) if _recognizes(found, source)), None)


def _recognizes(found: Found, source: Path) -> bool:
    try:
        return found.format.recognizes(source)
    except OSError:
        return False
