"""The trials of a sweep as parallel coordinates: where each lies on the axis of each setting. Pure."""

from collections.abc import Mapping, Sequence
from math import floor, log10
from typing import Any

from service.plots.parallel_coordinates import Axis, Trajectory, parallel_coordinates
from service.search.sweep.result import Result, best_first
from service.search.sweep.spec import Range
from service.search.sweep.table import as_cell

Over = Mapping[str, list[Any] | Range]
"""What was tried, by setting."""

MOST_LINES = 300
"""So many of the best trials are drawn."""

ACCURACIES = (0.0, 0.2, 0.4, 0.6, 0.7, 0.8, 0.85, 0.9, 0.93, 0.95, 0.97, 0.98, 0.99, 0.995)
"""Ticks of the axis of accuracies, whose scale is that of the logarithm of the error."""

LEAST_APART = 0.055
"""Ticks nearer to each other than this share of an axis are left out."""


def coordinates_picture(results: Sequence[Result], over: Over, name: str) -> str:
    """The trials so far as an SVG, those that were left behind dashed. Empty where there are none.

    Args:
        results: in any order.
        over: what was tried, by setting.
        name: the sweep's.
    """
    shown = best_first(results)[:MOST_LINES]
    if not shown:
        return ""
    settings = list(dict.fromkeys(setting for result in shown for setting in result.changes))
    axes, columns = [], []
    for setting in settings:
        values = [result.changes.get(setting) for result in shown]
        tried = over.get(setting)
        short = setting.rpartition(".")[2]
        axis, places = _range_axis(short, values, tried) if isinstance(tried, Range) else _even_axis(short, values)
        axes.append(axis)
        columns.append(places)
    held_out = shown[0].validation_accuracy is not None
    axis, places = _merit_axis(f"{'validation' if held_out else 'test'} accuracy", [one.merit for one in shown])
    longest, by_merit = shown[0].epochs, sorted(one.merit for one in shown)
    trajectories = [
        Trajectory(
            places=at,
            rank=by_merit.index(result.merit) / max(1, len(by_merit) - 1),
            is_best=result is shown[0],
            is_whole=result.epochs == longest,
            title=_title(result),
        )
        for result, at in zip(shown, zip(*columns, places, strict=True), strict=True)
    ]
    label = f"{len(shown)} trials of sweep {name} over {', '.join(settings)}; the best: {_title(shown[0])}"
    return parallel_coordinates([*axes, axis], trajectories, label)


def _even_axis(name: str, values: Sequence[Any]) -> tuple[Axis, list[float]]:
    """The axis of a setting with a list of values, in their order, at equal distances."""
    numeric = all(isinstance(value, int | float) for value in values)
    texts = [_text(value) for value in (sorted(values) if numeric else sorted(values, key=_text))]
    kinds = list(dict.fromkeys(texts))
    at = {text: index / (len(kinds) - 1) if len(kinds) > 1 else 0.5 for index, text in enumerate(kinds)}
    return Axis(name, tuple((place, text) for text, place in at.items())), [at[_text(value)] for value in values]


def _range_axis(name: str, values: Sequence[Any], over: Range) -> tuple[Axis, list[float]]:
    """The axis of a setting that was drawn from a range, with the range's scale and ends."""
    low, high = (log10(over.low), log10(over.high)) if over.log else (float(over.low), float(over.high))

    def place(value: float) -> float:
        return ((log10(value) if over.log else value) - low) / (high - low)

    if over.log:
        marks = [m * 10.0**power for power in range(floor(low), floor(high) + 1) for m in (1, 2, 5)]
        marks = [over.low, *(mark for mark in marks if over.low < mark < over.high), over.high]
    else:
        marks = [over.low + (over.high - over.low) * step / 4 for step in range(5)]
    return Axis(name, _apart([(place(mark), _text(float(mark), 2)) for mark in marks])), [place(v) for v in values]


def _merit_axis(name: str, merits: Sequence[float]) -> tuple[Axis, list[float]]:
    """By the logarithm of the error, so that good trials lie apart from each other and bad ones don't take the room."""
    ends = [_error(min(merits)), _error(max(merits))]
    if ends[0] == ends[1]:
        return Axis(name, ((0.5, f"{merits[0]:.3f}"),)), [0.5] * len(merits)

    def place(merit: float) -> float:
        return (_error(merit) - ends[0]) / (ends[1] - ends[0])

    inner = [(place(tick), f"{tick:g}") for tick in ACCURACIES if min(merits) < tick < max(merits)]
    ticks = _apart([(0.0, f"{min(merits):.3f}"), *inner, (1.0, f"{max(merits):.3f}")])
    return Axis(name, ticks), [place(merit) for merit in merits]


def _error(accuracy: float) -> float:
    return -log10(max(1 - accuracy, 1e-4))


def _apart(ticks: list[tuple[float, str]]) -> tuple[tuple[float, str], ...]:
    """Ticks without those that would hide another; both ends stay."""
    kept = [ticks[0]]
    for tick in ticks[1:-1]:
        if min(tick[0] - kept[-1][0], ticks[-1][0] - tick[0]) >= LEAST_APART:
            kept.append(tick)
    return (*kept, ticks[-1])


def _text(value: object, digits: int = 4) -> str:
    cell = as_cell(value)
    return f"{cell:.{digits}g}" if isinstance(cell, float) else str(cell)


def _title(result: Result) -> str:
    settings = ", ".join(f"{name.rpartition('.')[2]} {_text(value)}" for name, value in result.changes.items())
    after = f" after {result.epochs} epochs" if result.epochs else ""
    return f"trial {result.trial}: {settings}: {result.merit:.4f}{after}"
