"""The `atelier` command itself: its subcommands, and what becomes of an error."""

import sys
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import click

from ops.errors import OpsError
from service import __version__
from service.cli.interruption import keep_interruptions
from service.cli.pipelines import Pipelines
from service.errors import AtelierError, InvalidInput
from service.home import Home

COMMANDS = ("ingest", "train", "evaluate", "sweep", "study", "predict", "runs", "models", "serve", "deploy", "bench")
"""Each is the click command of that name in the module of that name beside this one."""


@dataclass(frozen=True)
class Context:
    """What every command is handed."""

    home: Home
    pipelines: Pipelines


class _Commands(click.Group):
    """Imports a command's module only when that command is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        found: click.Command = getattr(import_module(f"service.cli.{name}"), name)
        return found


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="atelier")
def atelier() -> None:
    """Train networks on Dask, average their replicas, and ask the models that come out.

    The final model depends on configuration, seed and data alone, whatever dies on the way.
    """


def command(pipelines: Pipelines, arguments: list[str] | None = None) -> None:
    """Run the command line and leave the process: 0 done, 1 the work failed, 2 wrong use."""
    keep_interruptions()
    try:
        context = Context(Home.from_environment(), pipelines)
        sys.exit(atelier.main(arguments, prog_name="atelier", standalone_mode=False, obj=context))
    except click.exceptions.Exit as done:
        sys.exit(done.exit_code)
    except click.ClickException as error:
        _fail(error.format_message(), error.exit_code)
    except (KeyboardInterrupt, click.Abort):
        _fail("interrupted; `atelier runs list` shows what can be resumed", 1)
    except OpsError as error:
        _fail(str(error), InvalidInput.exit_status)
    except AtelierError as error:
        _fail(str(error), error.exit_status)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(1)


def _fail(message: str, status: int) -> Any:
    click.echo(f"atelier: {message}", err=True)
    sys.exit(status)
