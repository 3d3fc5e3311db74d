"""`atelier runs delete` and `atelier runs prune`"""

import re
from datetime import timedelta
from pathlib import Path

import click

from service.cli.main import Context
from service.cli.names import run_names
from service.cli.output import as_size, counted, show
from service.errors import Conflict, InvalidInput, RunError
from service.home import Home
from service.registry import Registry
from service.runs import Run, find_run
from service.runs.housekeeping import ended_runs

UNITS = {"h": "hours", "d": "days", "w": "weeks"}


@click.command()
@click.argument("run", shell_complete=run_names)
@click.option("--force", is_flag=True, help="Also one that a sweep or a study counts on.")
@click.pass_obj
def delete(context: Context, run: str, force: bool) -> None:
    """Remove a run's files for good; its model stays."""
    found = find_run(context.home.runs, run)
    if found.status() == "running":
        raise Conflict(f"run {run} is running: stop it with `atelier runs cancel {run}` first")
    sweep = _sweep_of(context.home, run)
    if sweep and not force:
        raise RunError(f"run {run} belongs to {sweep}, which would train it again: delete it with --force")
    freed = found.size()
    found.delete()
    click.echo(f"run {run} is deleted: {as_size(freed)} freed")


@click.command()
@click.option("--older-than", required=True, metavar="AGE", help="How long ago they ended: 12h, 30d or 8w.")
@click.option("--dry-run", is_flag=True, help="Only tell which.")
@click.option("--json", "as_json", is_flag=True, help="Report as one JSON object.")
@click.pass_obj
def prune(context: Context, older_than: str, dry_run: bool, as_json: bool) -> None:
    """Remove the runs that ended some time ago.

    They finished and are published, or they failed or were cancelled. Paused and interrupted runs stay, as do those
    whose model isn't published, and those of sweeps and studies. Models and forks hold all that they need.
    """
    home, age = context.home, _age(older_than)
    found = [run for run in ended_runs(home.runs, age) if _is_dispensable(home, run)]
    runs = {run.name: run.size() for run in found}
    for run in found:
        if not dry_run:
            run.delete()
    total = as_size(sum(runs.values()))
    lines = [f"{run}  {as_size(size)}" for run, size in runs.items()]
    lines.append(f"{counted(len(runs), 'run')}, {total} {'would be ' if dry_run else ''}freed")
    show({"runs": runs, "deleted": not dry_run}, "\n".join(lines), as_json)


def _is_dispensable(home: Home, run: Run) -> bool:
    try:
        is_published = Registry(home.models).of_run(run.config().published_name, run.name) is not None
        return (is_published or run.status() != "finished") and not _sweep_of(home, run.name)
    except RunError:
        return False


def _sweep_of(home: Home, run: str) -> Path | None:
    """The sweep that a run is a trial of."""
    name, _, trial = run.rpartition("-")
    folder = home.sweeps / name
    return folder if name and trial.isdigit() and folder.is_dir() else None


def _age(text: str) -> timedelta:
    match = re.fullmatch(r"(\d{1,5})([hdw])", text)
    if match is None:
        raise InvalidInput(f"--older-than must be hours, days or weeks, such as 12h, 30d or 8w, got {text!r}")
    return timedelta(**{UNITS[match[2]]: int(match[1])})
