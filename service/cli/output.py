"""One result, shown to a person or to a program."""

import json
from typing import Any

import click


def show(value: Any, text: str, as_json: bool) -> None:
    """Print `value` as one line of JSON, or else the text."""
    click.echo(json.dumps(value, ensure_ascii=False) if as_json else text)
