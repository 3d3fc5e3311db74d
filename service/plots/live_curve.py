"""The curve of a run that is under way, as an SVG that takes a millisecond to draw."""

from ops.charts import Chart, Frame
from ops.palette import FAINT, INDIGO, INK, MADDER, PAPER
from service.plots.charts import Epochs, accuracy_chart, loss_chart

FRAME = Frame(width=360, height=220, left=40, right=16, top=34, bottom=26)
"""Of each of the two panels, in pixels."""


def live_curve(epochs: Epochs) -> str:
    """Train loss and train accuracy over epochs, each with `epoch` (from 1), `train_loss` and `train_accuracy`."""
    loss, accuracy = loss_chart(epochs), accuracy_chart(epochs)
    panels = (
        _panel(0, f"train loss {loss.lines[0].last:.4f}", loss, "{:.2f}", MADDER),
        _panel(FRAME.width, f"train accuracy {accuracy.lines[0].last:.1%}", accuracy, "{:.0%}", INDIGO),
    )
    size = f"{2 * FRAME.width:g} {FRAME.height:g}"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{2 * FRAME.width:g}" height="{FRAME.height:g}" '
        f'viewBox="0 0 {size}" font-family="sans-serif" font-size="11">'
        f'<rect width="100%" height="100%" fill="{PAPER}"/>{"".join(panels)}</svg>'
    )


def _panel(x: float, title: str, chart: Chart, form: str, color: str) -> str:
    """The first line of a chart; `x` is where the panel begins."""
    line, end = chart.lines[0], FRAME.width - FRAME.right
    first, last = line.points[0][0], line.points[-1][0]
    rules = "".join(
        f'<path d="M{FRAME.left} {y}H{end}" stroke="{FAINT}"/>'
        f'<text x="{FRAME.left - 6}" y="{y + 4:.1f}" text-anchor="end" fill="{INK}">{form.format(tick)}</text>'
        for tick, y in ((tick, FRAME.place(chart, first, tick)[1]) for tick in chart.ticks(5))
    )
    dot_x, dot_y = FRAME.place(chart, *line.points[-1])
    base = FRAME.height - 8
    return (
        f'<g transform="translate({x:g})"><text x="{FRAME.left}" y="20" font-size="13" fill="{INK}">{title}</text>'
        f'{rules}<polyline points="{FRAME.polyline(chart, line)}" fill="none" stroke="{color}" stroke-width="2"/>'
        f'<circle cx="{dot_x}" cy="{dot_y}" r="3.5" fill="{color}"/>'
        f'<text x="{FRAME.left}" y="{base}" fill="{INK}">epoch {first:g}</text>'
        f'<text x="{end}" y="{base}" text-anchor="end" fill="{INK}">{last:g}</text></g>'
    )
