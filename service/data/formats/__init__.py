"""The file formats that examples come in, one a module. A new one takes one file: see docs/extending.md."""

from service.data.formats.base import Arrays, Examples, Format, Reading
from service.data.formats.registry import find, names

__all__ = ["Arrays", "Examples", "Format", "Reading", "find", "names"]
