"""One result, shown to a person or to a program."""

import json
from collections.abc import Sequence
from typing import Any

import click


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
