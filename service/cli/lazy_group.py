"""A group of commands each of which is imported when it is used: all of them together take seconds of imports."""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import click
from click.shell_completion import CompletionItem


@dataclass(frozen=True)
class LazyCommand:
    """Where a command is found.

    Attributes:
        module: The module that holds it.
        attribute: Its name there.
        short_help: The first line of its help, for the group's.
    """

    module: str
    attribute: str
    short_help: str


class LazyGroup(click.Group):
    """A group that knows its commands by name alone, and lists them in the order in which they are given."""

    def __init__(self, *args: Any, lazy: Mapping[str, LazyCommand], **settings: Any) -> None:
        super().__init__(*args, **settings)
        self.lazy = lazy

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command. What interrupts it leaves as `click.Abort`, since click prints an empty line otherwise."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            raise click.Abort from None

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.lazy)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in self.lazy:
            return None
        found: click.Command = getattr(import_module(self.lazy[name].module), self.lazy[name].attribute)
        return found

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """The commands and options that a word may become. click would import every command for its help."""
        if incomplete and not incomplete[0].isalnum():
            return super().shell_complete(ctx, incomplete)
        return [
            CompletionItem(name, help=command.short_help)
            for name, command in self.lazy.items()
            if name.startswith(incomplete)
        ]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, command.short_help) for name, command in self.lazy.items()])
