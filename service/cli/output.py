"""One result, shown to a person or to a program."""

import json
from collections.abc import Sequence
from typing import Any

import click

UNITS = ("B", "kB", "MB", "GB", "TB")


def show(value: Any, text: str, as_json: bool) -> None:
    """Print `value` as one line of JSON, or else the text."""
    click.echo(json.dumps(value, ensure_ascii=False) if as_json else text)


def table(head: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[str]) -> str:
    """Columns as wide as their longest entry, two spaces apart.

    Args:
        head: The columns' names.
        rows: The entries of each row.
        right: The columns that are aligned to the right.
    """
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    aligns = [str.rjust if name in right else str.ljust for name in head]
    lines = (zip(row, widths, aligns, strict=True) for row in (head, *rows))
    return "\n".join("  ".join(align(text, width) for text, width, align in line).rstrip() for line in lines)


def as_size(num_bytes: float) -> str:
    """A number of bytes as people read it: `3.2 MB`."""
    power = 0
    while num_bytes >= 1000 and power < len(UNITS) - 1:
        num_bytes, power = num_bytes / 1000, power + 1
    return f"{num_bytes:.{1 if power and num_bytes < 100 else 0}f} {UNITS[power]}"


def counted(number: int, noun: str) -> str:
    """A number with what it counts: `1 worker`, `2 workers`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
