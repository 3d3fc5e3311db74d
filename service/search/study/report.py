"""The tables and pictures of a study: means over the seeds, with the standard deviation between them."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from math import log
from pathlib import Path
from statistics import fmean, stdev

from service.files import replace_file
from service.search.study.cells import Cell, Study
from service.search.study.outcomes import TARGET, Outcome

FIGURES = ("train_loss", "train_accuracy", "validation_accuracy", "test_accuracy", "seconds_to_target")


def write_report(outcomes: Sequence[Outcome], study: Study, classes: int, folder: Path) -> None:
    """Write `outcomes.json`, `tables.md` and a picture of each of loss, accuracy and time into a folder.

    classes: how many the data set has; guessing among them is a loss of log(classes), the plateau's.
    """
    # Here, because Matplotlib takes longer to import than the rest together, and a study needs it last.
    from service.plots.study import study_picture

    folder.mkdir(parents=True, exist_ok=True)
    content = json.dumps([asdict(outcome) for outcome in outcomes], indent=1) + "\n"
    replace_file(folder / "outcomes.json", lambda path: path.write_text(content, encoding="utf-8"))
    tables = f"{cells_table(outcomes, study)}\n{plateau_table(outcomes, study, classes)}"
    replace_file(folder / "tables.md", lambda path: path.write_text(tables, encoding="utf-8"))
    groups = by_cell(outcomes, study.cells)
    for figure, title in (
        ("train_loss", "train loss"),
        ("test_accuracy", "test accuracy"),
        ("seconds_to_target", f"seconds to a train accuracy of {TARGET}"),
    ):
        lines: dict[str, list[tuple[int, float, float]]] = {}
        for cell, members in groups.items():
            if found := summary(members, figure):
                lines.setdefault(_label(cell), []).append((cell.shards, *found))
        if lines:
            replace_file(folder / f"{figure}.png", partial(study_picture, lines, title))


def by_cell(outcomes: Sequence[Outcome], cells: Sequence[Cell]) -> dict[Cell, list[Outcome]]:
    """The outcomes of each cell that has any."""
    groups = {cell: [outcome for outcome in outcomes if outcome.cell == cell] for cell in cells}
    return {cell: members for cell, members in groups.items() if members}


def summary(outcomes: Sequence[Outcome], figure: str) -> tuple[float, float] | None:
    """Mean and sample standard deviation (0 for one seed) of a figure; None unless every seed has it."""
    values = [getattr(outcome, figure) for outcome in outcomes]
    if not values or None in values:
        return None
    return fmean(values), stdev(values) if len(values) > 1 else 0.0


def cells_table(outcomes: Sequence[Outcome], study: Study) -> str:
    """A line for each cell, in Markdown. Seeds from `study.seeds` on, which only some cells have, don't count."""
    lines = [
        "| network | strategy | shards | H | train loss | train accuracy | validation accuracy | test accuracy "
        f"| seconds to {TARGET} | train loss beside 1 shard | test accuracy beside 1 shard | seeds |",
        "|---|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    groups = by_cell([one for one in outcomes if one.seed < study.seeds], study.cells)
    for cell, members in groups.items():
        figures = [
            _with_deviation(summary(members, figure), 1 if figure == "seconds_to_target" else 3) for figure in FIGURES
        ]
        figures += [_beside(members, groups.get(cell.control, []), name) for name in ("train_loss", "test_accuracy")]
        told = f"{cell.network} | {cell.strategy} | {cell.shards} | {cell.every}"
        lines.append(f"| {told} | {' | '.join(figures)} | {len(members)} |")
    return "\n".join(lines) + "\n"


def plateau_table(outcomes: Sequence[Outcome], study: Study, classes: int) -> str:
    """Whether any run of the cells that are tried with more seeds ended near the loss of guessing, over all seeds."""
    lines = ["| shards | seeds | highest train loss | stuck on the plateau |", "|---:|---:|---:|---:|"]
    for cell, members in by_cell(outcomes, study.plateau_cells).items():
        losses = [outcome.train_loss for outcome in members]
        stuck = sum(loss > 0.9 * log(classes) for loss in losses)
        lines.append(f"| {cell.shards} | {len(losses)} | {max(losses):.3f} | {stuck} |")
    return "\n".join(lines) + "\n"


def _beside(members: Sequence[Outcome], control: Sequence[Outcome], figure: str) -> str:
    """By how much a figure differs from that of one shard, mean over the seeds that both have."""
    alone = {outcome.seed: getattr(outcome, figure) for outcome in control}
    both = [getattr(outcome, figure) - alone[outcome.seed] for outcome in members if outcome.seed in alone]
    return f"{fmean(both):+.3f}" if both and members[0].cell.shards > 1 else ""


def _label(cell: Cell) -> str:
    network = "" if cell.network == "lenet" else f"{cell.network}: "
    return f"{network}{cell.strategy}, H = {cell.every}"


def _with_deviation(found: tuple[float, float] | None, digits: int) -> str:
    return f"{found[0]:.{digits}f} ± {found[1]:.{digits}f}" if found else "not by all"
