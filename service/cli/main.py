"""The `atelier` command itself: its subcommands, and what becomes of an error."""

import os
import sys
from contextlib import suppress
from dataclasses import dataclass
from typing import NoReturn

import click

from service import __version__
from service.cli.interruption import Interruption
from service.cli.lazy_group import LazyCommand, LazyGroup
from service.cli.pipelines import Pipelines
from service.cli.system_errors import explain
from service.environment.proxies import bypass_loopback
from service.errors import AtelierError, InvalidInput
from service.home import Home

COMMANDS = {
    name: LazyCommand(f"service.cli.{name}", name, short_help)
    for name, short_help in {
        "ingest": "Bring a data set into the store.",
        "train": "Train a network, measure it, and publish it as a model.",
        "evaluate": "Measure a run on the test examples, after each epoch whose checkpoint was kept.",
        "sweep": "Train with every combination of some settings, or with random draws, and compare what comes out.",
        "study": "Compare ways of averaging over several seeds; stop it at any time, and start it again to go on.",
        "predict": "Ask MODEL (a name, or name:version, or name:alias) what IMAGE shows.",
        "runs": "Look at runs, and steer them.",
        "models": "Look at trained models.",
        "data": "Look at data sets.",
        "network": "Look at networks before they are trained.",
        "clean": "Free what caches hold, and what processes left when they died.",
        "serve": "Answer questions about the models, in the browser and over HTTP.",
        "deploy": "Offer the flows to the Prefect server that PREFECT_API_URL names, and run them when asked, "
        "until stopped.",
        "bench": "Measure how fast things are on this machine.",
        "completion": "Print the script that completes commands, options, runs and models in a shell.",
    }.items()
}
"""Each is the click command of that name in the module of that name beside this one, with its help's first line."""


@dataclass(frozen=True)
class Context:
    """What every command is handed.

    Attributes:
        home: Where things lie.
        pipelines: The long jobs.
        interruption: What a signal leads to; a command that can be continued says how.
    """

    home: Home
    pipelines: Pipelines
    interruption: Interruption


@click.group(
    cls=LazyGroup, lazy=COMMANDS, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.version_option(__version__, prog_name="atelier")
def atelier() -> None:
    """Train networks on Dask, average their replicas, and ask the models that come out.

    The final model depends on configuration, seed and data alone, whatever dies on the way.
    """


def command(pipelines: Pipelines, arguments: list[str] | None = None) -> NoReturn:
    """Run the command line and leave the process: 0 done, 1 the work failed, 2 wrong use, 128 and more interrupted."""
    bypass_loopback(os.environ)
    interruption = Interruption()
    with interruption.watched():
        try:
            context = Context(Home.from_environment(), pipelines, interruption)
            sys.exit(atelier.main(arguments, prog_name="atelier", standalone_mode=False, obj=context))
        except click.exceptions.Exit as done:
            sys.exit(done.exit_code)
        except click.ClickException as error:
            _fail(error.format_message(), error.exit_code)
        except (KeyboardInterrupt, click.Abort):
            interruption.say()
            sys.exit(interruption.exit_status)
        except AtelierError as error:
            _fail(str(error), error.exit_status)
        except BrokenPipeError:  # whoever read the output has had enough of it, as `head` has
            _leave(1)
        except Exception as error:
            if line := explain(error):
                _fail(line, AtelierError.exit_status)
            from ops.errors import OpsError  # takes half as long to import as all that came before

            if not isinstance(error, OpsError):
                raise
            _fail(str(error), InvalidInput.exit_status)
        finally:
            pipelines.end()


def _fail(message: str, status: int) -> NoReturn:
    with suppress(OSError):
        click.echo(f"atelier: {message}", err=True)
    _leave(status)


def _leave(status: int) -> NoReturn:
    """Leave, also where the output can't be written any more: Python flushes it once more at its end."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(status)
