"""A figure of the study of averaging against the number of shards, a line for each strategy and H."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from ops.palette import FAINT, INDIGO, INK, MADDER, OCHRE
from service.plots.style import new_figure, plain, save

APART = 0.012
"""By what part of their place lines are shifted, so that bars don't hide each other."""

DASHES = ("-", "--", ":", "-.")


def study_picture(lines: Mapping[str, Sequence[tuple[int, float, float]]], title: str, path: Path) -> None:
    """Draw `(shards, mean, standard deviation)` points for each label, with bars of one standard deviation."""
    figure = new_figure(7.2, 4.2)
    axes = figure.add_subplot()
    plain(axes)
    for index, (label, points) in enumerate(lines.items()):
        color, dash = (INDIGO, MADDER, OCHRE, INK)[index % 4], DASHES[index // 4 % len(DASHES)]
        shards, means, spreads = zip(*points, strict=True)
        aside = 1 + APART * (index - len(lines) / 2)
        axes.errorbar(
            [aside * number for number in shards],
            means,
            spreads,
            color=color,
            linestyle=dash,
            linewidth=1.2,
            elinewidth=0.6,
            marker="o",
            markersize=3,
            label=label,
        )
    axes.set_xscale("log", base=2)
    ticks = sorted({point[0] for points in lines.values() for point in points})
    axes.set_xticks(ticks, [str(tick) for tick in ticks])
    axes.grid(axis="y", color=FAINT, linewidth=0.6)
    axes.set_xlabel("shards", fontsize=9, color=INK)
    axes.set_title(title, loc="left", fontsize=10, color=INK)
    axes.legend(frameon=False, fontsize=8, labelcolor=INK)
    save(figure, path)
