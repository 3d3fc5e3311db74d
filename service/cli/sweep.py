"""`atelier sweep`"""

import json
import sys
from dataclasses import asdict
from functools import partial
from threading import Event
from typing import Any

import click
from pydantic import ValidationError
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from service.cli.main import Context
from service.cli.networks import network_at, with_network
from service.cli.options import checked_id, field_names, nested_options, options_of, validated
from service.cli.output import show
from service.cli.watching import watching
from service.config import ClusterConfig, TrainConfig, explain
from service.errors import InvalidInput
from service.home import Home
from service.runs import new_run_id
from service.search.sweep import Sweep, SweepFolder, SweepName, Trial, as_cell, as_text, results_table
from service.training.preflight import check_training

POLL_SECONDS = 0.5


@click.command()
@click.option(
    "--over",
    multiple=True,
    required=True,
    metavar="OPTION=VALUES",
    help="Values to try: lr=0.1,0.3 or, drawn at random, lr=0.1..1 and lr=0.01..1:log. May be given several times.",
)
@click.option("--trials", default=0, help="So many random draws; 0 tries every combination. [default: 0]")
@click.option("--draw-seed", default=0, help="Decides the random draws. [default: 0]")
@click.option(
    "--halving",
    type=click.IntRange(0, 100),
    default=0,
    help="Train all trials for --min-epochs, one of so many for so many times as long, and so on. [default: 0]",
)
@click.option(
    "--min-epochs", type=click.IntRange(1), default=1, help="What every trial gets with --halving. [default: 1]"
)
@click.option(
    "--hyperband",
    is_flag=True,
    help="With --halving: several brackets, of many trials that are compared early and of few that are later.",
)
@click.option(
    "--asynchronous",
    is_flag=True,
    help="With --halving: a trial goes on as soon as it is among the best so far. Which do then depends on timing.",
)
@click.option("--parallel", type=click.IntRange(1, 64), default=2, help="Trials at a time. [default: 2]")
@click.option("--id", "sweep_id", default="", help="A name for the sweep; one that exists is continued.")
@options_of(TrainConfig, presets=True)
@options_of(ClusterConfig)
@click.option("--json", "as_json", is_flag=True, help="Report as one JSON object.")
@click.pass_obj
def sweep(
    context: Context,
    over: tuple[str, ...],
    trials: int,
    draw_seed: int,
    halving: int,
    min_epochs: int,
    hyperband: bool,
    asynchronous: bool,
    parallel: int,
    sweep_id: str,
    as_json: bool,
    **options: Any,
) -> None:
    """Train with every combination of some settings, or with random draws, and compare what comes out."""
    chosen = with_network(context, nested_options(TrainConfig, options))
    form = {"halving": halving, "min_epochs": min_epochs, "hyperband": hyperband, "asynchronous": asynchronous}
    wanted = _sweep(context, over, chosen, {"trials": trials, "seed": draw_seed, **form})
    cluster = validated(ClusterConfig, options)
    name = checked_id(SweepName, sweep_id) or new_run_id()
    plan = _plan(wanted)
    for trial in plan:
        check_training(context.home, trial.config, cluster)
    context.interruption.resume = lambda: (
        f"atelier sweep … --id {name}" if (context.home.sweeps / name).is_dir() else ""
    )
    with watching(partial(_watch, context.home, name, len(plan))):
        results = context.pipelines.sweep(context.home, wanted, name, parallel, cluster)
    report = context.home.sweeps / name / "report.md"
    show(
        {"sweep": name, "trials": [asdict(result) for result in results]},
        f"\n{as_text(results_table(results))}\n\nLook at them: {report}\nPublish one:  atelier runs resume RUN",
        as_json,
    )


def _sweep(context: Context, over: tuple[str, ...], base: dict[str, Any], how: dict[str, Any]) -> Sweep:
    """Raises InvalidInput, in one line."""
    parsed = [_parsed(text) for text in over]
    values = dict(parsed)
    if twice := next((name for name, _ in parsed if [each for each, _ in parsed].count(name) > 1), ""):
        raise InvalidInput(f"--over must name each option once, got {twice} twice")
    if "model" in values:
        values["model"] = [
            network_at(context, source, base.get("dataset")) if isinstance(source, str) else source
            for source in values["model"]
        ]
    try:
        return Sweep(base=base, over=values, **how)
    except ValidationError as error:
        raise explain(error) from None


def _plan(wanted: Sweep) -> list[Trial]:
    """A sweep's trials. Raises InvalidInput, naming the option as it is written: `batch-size`, `lr`."""
    try:
        return wanted.plan()
    except InvalidInput as error:
        where, _, rest = str(error).partition(" ")
        options = {path: name.replace("_", "-") for name, path in field_names(TrainConfig).items()}
        raise InvalidInput(f"{options.get(where, where)} {rest}") from None


def _parsed(text: str) -> tuple[str, Any]:
    option, _, values = text.partition("=")
    fields = field_names(TrainConfig)
    field = fields.get(option.strip().replace("-", "_").rpartition(".")[2])
    if field is None or not values:
        raise InvalidInput(f"--over must be OPTION=VALUES with an option of `atelier train`, got {text!r}")
    low, dots, high = values.partition("..")
    if dots:
        high, _, scale = high.partition(":")
        bounds = {"low": _value(low), "high": _value(high)}
        if scale not in ("", "log") or not all(type(bound) in (int, float) for bound in bounds.values()):
            raise InvalidInput(f"--over takes numbers as LOW..HIGH or LOW..HIGH:log, got {text!r}")
        return field, {**bounds, "log": bool(scale)}
    return field, [_value(value) for value in values.split(",")]


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _watch(home: Home, name: str, trials: int, stop: Event) -> None:
    """Show on standard error how many trials are done: a bar at a terminal, else a line a trial."""
    console, folder, shown = Console(stderr=True), SweepFolder(home.sweeps / name), set[tuple[int, int | None]]()
    columns = (TextColumn("trials"), BarColumn(bar_width=32), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(
        *columns, TimeRemainingColumn(), console=console, disable=not sys.stderr.isatty(), transient=True
    ) as bar:
        task = bar.add_task("trials", total=trials)
        finishing = False
        while not finishing:
            finishing = stop.wait(POLL_SECONDS)
            for number, result in folder.results().items():
                if (number, result.epochs) not in shown:
                    shown.add((number, result.epochs))
                    after = f"epoch {result.epochs:>3}   " if result.epochs else ""
                    changes = "  ".join(f"{field} {as_cell(value)}" for field, value in result.changes.items())
                    console.print(
                        f"trial {number:>3}   {after}loss {result.train_loss:.4f}"
                        f"   test accuracy {result.test_accuracy:.4f}   {changes}",
                        highlight=False,
                        soft_wrap=True,
                    )
            bar.update(task, completed=len({number for number, _ in shown}))
