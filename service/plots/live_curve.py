"""The curve of a run that is under way, as an SVG that takes a millisecond to draw."""

from collections.abc import Sequence

from ops.charts import Chart, Frame, Line
from ops.palette import FAINT, INDIGO, INK, MADDER, MOSS, OCHRE, PAPER
from service.plots.charts import Epochs, accuracy_chart, loss_chart

FRAME = Frame(width=360, height=220, left=40, right=16, top=34, bottom=26)
"""Of each of the two panels, in pixels."""


def live_curve(epochs: Epochs) -> str:
    """Train loss and accuracies over epochs.

    Each has `epoch` (from 1), `train_loss` and `train_accuracy`, and maybe `test_accuracy` and `validation_accuracy`.
    """
    loss, accuracy = loss_chart(epochs), accuracy_chart(epochs)
    panels = (
        _panel(0, f"train loss {loss.lines[0].last:.4f}", loss, "{:.2f}", (MADDER,)),
        _panel(FRAME.width, _accuracies(accuracy), accuracy, "{:.0%}", (INDIGO, OCHRE, MOSS)),
    )
    size = f"{2 * FRAME.width:g} {FRAME.height:g}"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{2 * FRAME.width:g}" height="{FRAME.height:g}" '
        f'viewBox="0 0 {size}" font-family="sans-serif" font-size="11">'
        f'<rect width="100%" height="100%" fill="{PAPER}"/>{"".join(panels)}</svg>'
    )


def _accuracies(chart: Chart) -> str:
    """The title of the accuracies: what each line ends with, the first one by its full name."""
    first, *others = chart.lines
    return ", ".join([f"{first.name} {first.last:.1%}", *(f"{_short(line)} {line.last:.1%}" for line in others)])


def _short(line: Line) -> str:
    return line.name.partition(" ")[0]


def _panel(x: float, title: str, chart: Chart, form: str, colors: Sequence[str]) -> str:
    """All lines of a chart; `x` is where the panel begins."""
    end = FRAME.width - FRAME.right
    first, last = chart.lines[0].points[0][0], chart.lines[0].points[-1][0]
    rules = "".join(
        f'<path d="M{FRAME.left} {y}H{end}" stroke="{FAINT}"/>'
        f'<text x="{FRAME.left - 6}" y="{y + 4:.1f}" text-anchor="end" fill="{INK}">{form.format(tick)}</text>'
        for tick, y in ((tick, FRAME.place(chart, first, tick)[1]) for tick in chart.ticks(5))
    )
    lines = "".join(_drawn(chart, line, color) for line, color in zip(chart.lines, colors, strict=False))
    base = FRAME.height - 8
    return (
        f'<g transform="translate({x:g})"><text x="{FRAME.left}" y="20" font-size="13" fill="{INK}">{title}</text>'
        f"{rules}{lines}"
        f'<text x="{FRAME.left}" y="{base}" fill="{INK}">epoch {first:g}</text>'
        f'<text x="{end}" y="{base}" text-anchor="end" fill="{INK}">{last:g}</text></g>'
    )


def _drawn(chart: Chart, line: Line, color: str) -> str:
    x, y = FRAME.place(chart, *line.points[-1])
    return (
        f'<polyline points="{FRAME.polyline(chart, line)}" fill="none" stroke="{color}" stroke-width="2"/>'
        f'<circle cx="{x}" cy="{y}" r="3.5" fill="{color}"/>'
    )
