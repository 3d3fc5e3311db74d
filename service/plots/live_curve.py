"""The curve of a run that is under way, as an SVG that takes a millisecond to draw."""

from collections.abc import Sequence

from service.plots.palette import FAINT, INDIGO, INK, MADDER, PAPER
from service.runs import Entry

WIDTH, HEIGHT = 360, 220
"""Of each of the two panels, in pixels."""

LEFT, RIGHT, TOP, BOTTOM = 40, 16, 34, 26


def live_curve(epochs: Sequence[Entry]) -> str:
    """Train loss and train accuracy over the `epoch` entries of a round log, of which there must be one at least."""
    losses = [entry["train_loss"] for entry in epochs]
    accuracies = [entry["train_accuracy"] for entry in epochs]
    last = epochs[-1]["epoch"] + 1
    panels = (
        _panel(0, f"train loss {losses[-1]:.4f}", losses, 1.05 * max(losses), "{:.2f}", MADDER, last),
        _panel(WIDTH, f"train accuracy {accuracies[-1]:.1%}", accuracies, 1.0, "{:.0%}", INDIGO, last),
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{2 * WIDTH}" height="{HEIGHT}" '
        f'viewBox="0 0 {2 * WIDTH} {HEIGHT}" font-family="sans-serif" font-size="11">'
        f'<rect width="100%" height="100%" fill="{PAPER}"/>{"".join(panels)}</svg>'
    )


def _panel(x: int, title: str, values: list[float], top: float, form: str, colour: str, last: int) -> str:
    """One line over the epochs, from 0 to `top`; `x` is where the panel begins."""
    across, down = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM
    ceiling = top or 1.0

    def place(index: int, value: float) -> str:
        share = index / max(len(values) - 1, 1)
        return f"{x + LEFT + share * across:.1f},{TOP + (1 - value / ceiling) * down:.1f}"

    rules = []
    for step in range(5):
        y = TOP + (1 - step / 4) * down
        rules.append(
            f'<path d="M{x + LEFT} {y:.1f}h{across}" stroke="{FAINT}"/>'
            f'<text x="{x + LEFT - 6}" y="{y + 4:.1f}" text-anchor="end" fill="{INK}">'
            f"{form.format(ceiling * step / 4)}</text>"
        )
    line = " ".join(place(index, value) for index, value in enumerate(values))
    end_x, _, end_y = place(len(values) - 1, values[-1]).partition(",")
    return (
        f'<text x="{x + LEFT}" y="20" font-size="13" fill="{INK}">{title}</text>{"".join(rules)}'
        f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2"/>'
        f'<circle cx="{end_x}" cy="{end_y}" r="3.5" fill="{colour}"/>'
        f'<text x="{x + LEFT}" y="{HEIGHT - 8}" fill="{INK}">epoch {last - len(values) + 1}</text>'
        f'<text x="{x + WIDTH - RIGHT}" y="{HEIGHT - 8}" text-anchor="end" fill="{INK}">{last}</text>'
    )
