"""The file formats that examples come in, one a module. A new one takes one file: see docs/extending.md."""

from service.data.formats.base import Arrays, Examples, Format
from service.data.formats.registry import format_of, names

__all__ = ["Arrays", "Examples", "Format", "format_of", "names"]
