"""The trials of a sweep side by side, best first."""

from collections.abc import Iterable
from typing import Any

from service.search.sweep.result import Result, best_first


def results_table(results: Iterable[Result]) -> list[dict[str, Any]]:
    """A row for each result, as `best_first` orders them: what sets the trial apart, then its figures.

    Where examples were kept out, the accuracy on these decides: what is chosen by test data can't be judged by them.
    """
    results = list(results)
    held_out = any(result.validation_accuracy is not None for result in results)
    return [
        {
            "trial": result.trial,
            **{name: as_cell(value) for name, value in result.changes.items()},
            "train loss": round(result.train_loss, 4),
            "train accuracy": round(result.train_accuracy, 4),
            **({} if result.epochs is None else {"epochs": result.epochs}),
            **({"validation accuracy": _rounded(result.validation_accuracy)} if held_out else {}),
            "test accuracy": round(result.test_accuracy, 4),
            "seconds": round(result.wall_s, 1),
            "run": result.run,
        }
        for result in best_first(results)
    ]


def as_text(rows: list[dict[str, Any]]) -> str:
    """The table for a terminal, in columns."""
    if not rows:
        return "no trial is done yet"
    cells = [list(rows[0]), *([str(value) for value in row.values()] for row in rows)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(cells[0]))]
    return "\n".join("  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True)) for line in cells)


def _rounded(accuracy: float | None) -> float | str:
    return "" if accuracy is None else round(accuracy, 4)


def as_cell(value: Any) -> Any:
    """A value that was tried, as a table shows it; of a network's description, its name."""
    if isinstance(value, float):
        return float(f"{value:.4g}")
    if isinstance(value, dict) and "layers" in value:
        return value["name"]
    if isinstance(value, dict):
        return ", ".join(f"{name} {inner}" for name, inner in value.items())
    return value
