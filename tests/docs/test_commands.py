"""Every command that the documents show exists, with the options that they give it."""

import re
import shlex
from pathlib import Path

import click
import pytest

from service.cli.main import atelier

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
SHOWN = re.compile(r"(?:^|[`/ ])atelier ((?:[a-z]+ ?)[^`#\n]*)", re.MULTILINE)
CODE = re.compile(r"^```(?:sh)?\n(.*?)^```|`([^`\n]+)`|^    (.*)$", re.MULTILINE | re.DOTALL)


def commands(page: Path) -> list[str]:
    """What stands behind `atelier` in the page's code, a command a line."""
    code = ("\n".join(part for part in match.groups() if part) for match in CODE.finditer(page.read_text()))
    return [found.strip() for part in code for found in SHOWN.findall(part)]


def check(words: list[str]) -> None:
    """Raises click's own error for a command or an option that isn't there."""
    command: click.Command = atelier
    context = click.Context(command, info_name="atelier")
    while isinstance(command, click.Group) and words:
        name, *words = words
        found = command.get_command(context, name)
        if found is None:
            raise click.UsageError(f"no command {name}")
        command, context = found, click.Context(found, parent=context, info_name=name)
    command.make_parser(context).parse_args(words)


def test_every_command_in_the_documents_exists_with_its_options():
    shown = [(page.name, line) for page in PAGES for line in commands(page)]
    assert len(shown) > 40
    for page, line in shown:
        alternatives = line.split("|") if re.fullmatch(r"[a-z]+( [a-z]+)?(\|[a-z]+)+", line) else [line]
        first = shlex.split(alternatives[0])
        for words in [first, *([*first[:-1], other] for other in alternatives[1:])]:
            try:
                check(words)
            except click.UsageError as error:
                pytest.fail(f"{page}: atelier {' '.join(words)}: {error.format_message()}")


def test_a_command_that_is_not_there_is_noticed():
    for words in (["tarin"], ["train", "--epoch-count", "3"], ["runs", "resurrect", "RUN"]):
        with pytest.raises(click.UsageError):
            check(words)
