"""`atelier runs cancel` and `atelier runs pause`"""

from typing import Literal

import click

from service.cli.main import Context
from service.cli.names import run_names
from service.errors import RunError
from service.runs import find_run


@click.command()
@click.argument("run", shell_complete=run_names)
@click.pass_obj
def cancel(context: Context, run: str) -> None:
    """Have a run stop after the round at hand."""
    _request(context, run, "cancel")


@click.command()
@click.argument("run", shell_complete=run_names)
@click.pass_obj
def pause(context: Context, run: str) -> None:
    """Have a run stop after the round at hand, to be resumed later."""
    _request(context, run, "pause")


def _request(context: Context, run: str, what: Literal["cancel", "pause"]) -> None:
    found = find_run(context.home.runs, run)
    if found.status() != "running":
        raise RunError(f"run {run} is not running: it is {found.status()}")
    found.request(what)
    click.echo(f"asked for: run {run} stops after the round at hand")
