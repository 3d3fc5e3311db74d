"""A live view of a run, read from its round log: it needs nothing of whoever does the work."""

import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import AbstractContextManager
from functools import partial
from threading import Event

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from service.cli.watching import watching
from service.data import describe
from service.errors import AtelierError
from service.home import Home
from service.rounds.plan import Plan, plan_for
from service.runs import Entry, find_run, run_at
from service.training.epoch_scores import EpochScores


def progress(home: Home, run: str) -> AbstractContextManager[None]:
    """Show the run on standard error while the block lasts: a bar at a terminal, else a line an epoch."""
    return watching(partial(_watch, home, run, Console(stderr=True)))


def _watch(home: Home, run: str, console: Console, stop: Event) -> None:
    say = partial(console.print, highlight=False, markup=False, soft_wrap=True)
    disturbances: Counter[str] = Counter()  # of this epoch, by what was the matter
    columns = _columns(console.width)
    with Progress(*columns, console=console, disable=not sys.stderr.isatty(), transient=True) as bar:
        task = bar.add_task("preparing", total=None)
        for entry, plan in _follow(home, run, stop):
            if entry["kind"] == "round":
                doing = f"epoch {entry['epoch'] + 1}  loss {entry['loss']:.3f}  accuracy {entry['accuracy']:.3f}"
                done = plan.share_after(entry["epoch"], entry["last"])
                bar.update(task, total=1.0, completed=done, description=doing)
            elif entry["kind"] == "epoch":
                say(_epoch_line(entry))
                for why, count in disturbances.items():
                    if count > 1:
                        say(f"            {count} times: {why}")
                disturbances.clear()
            elif entry["kind"] == "begin" and not entry["rounds_done"]:
                facts = run_at(home.runs, run).facts()
                if beginning := facts.get("what_starts"):
                    say(beginning)
                for warning in facts.get("warnings", ()):
                    say(f"warning: {warning}")
            elif entry["kind"] == "evaluation":
                say(_evaluation_line(entry))
            elif entry["kind"] == "plateau":
                say(f"warning: {entry['why']}")
            elif entry["kind"] == "disturbed":
                disturbances[entry["why"]] += 1
                if disturbances[entry["why"]] == 1:
                    say(f"round {entry['round']}: {entry['why']}")
            elif entry["kind"] == "end":
                bar.update(task, description="measuring")


def _columns(width: int) -> list[ProgressColumn]:
    """As much as fits into the width of the terminal: the work and its share, then a bar, then times."""
    columns: list[ProgressColumn] = [TextColumn("{task.description}"), TextColumn("{task.percentage:>3.0f}%")]
    if width >= 80:
        columns[1:1] = [BarColumn(bar_width=min(32, width - 66))]
        columns += [TimeElapsedColumn(), TextColumn("left"), TimeRemainingColumn()]
    return [SpinnerColumn(), *columns] if width >= 50 else columns


def _epoch_line(entry: Entry) -> str:
    return (
        f"epoch {entry['epoch'] + 1:>3}   loss {entry['train_loss']:.4f}   accuracy {entry['train_accuracy']:.4f}"
        f"   {entry['examples_per_s']:>9,.0f} examples/s"
    )


def _evaluation_line(entry: Entry) -> str:
    scores = EpochScores.from_entry(entry)
    shown = {"validation": scores.validation, "test": scores.test}
    figures = (f"{name} accuracy {s.accuracy:.4f} (loss {s.loss:.4f})" for name, s in shown.items() if s)
    return f"epoch {entry['epoch'] + 1:>3}   {'   '.join(figures)}"


def _follow(home: Home, run: str, stop: Event) -> Iterator[tuple[Entry, Plan]]:
    """New lines of the run's log as they appear, each with the run's plan."""
    position, plan = 0, None
    while True:
        finishing = stop.is_set()
        try:
            found = find_run(home.runs, run)
            if plan is None:
                config = found.config()
                examples = describe(home.store(config.dataset)).train
                plan = plan_for(config, examples)
            lines, position = found.tail(position)
        except AtelierError:
            lines = []
        if plan is not None:
            for entry in lines:
                yield entry, plan
        if finishing:
            return
        stop.wait(run_at(home.runs, run).poll_s)
