"""The confusion matrix: true classes by predicted classes."""

from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

import numpy as np

from ops.palette import INK, PAPER
from service.plots.style import INDIGO_SCALE, new_figure, plain, save

MOST_NUMBERED = 20
"""With more classes than this the cells carry no numbers."""


def confusion_picture(counts: Sequence[Sequence[int]], class_names: Sequence[str], target: Path | BinaryIO) -> None:
    """Draw [true][predicted] counts; the colour is the share of the true class."""
    matrix = np.asarray(counts, np.float64)
    shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    size = 2.2 + 0.46 * min(len(class_names), 24)
    figure = new_figure(size + 0.6, size)
    axes = figure.add_subplot()
    plain(axes)
    axes.imshow(shares, cmap=INDIGO_SCALE, vmin=0, vmax=1)
    if len(class_names) <= MOST_NUMBERED:
        for (row, column), count in np.ndenumerate(matrix):
            if count:
                color = PAPER if shares[row, column] > 0.45 else INK
                axes.text(column, row, f"{count:.0f}", ha="center", va="center", color=color, fontsize=7.5)
    ticks = range(len(class_names))
    axes.set_xticks(ticks, class_names, rotation=40, ha="right", fontsize=8, parse_math=False)
    axes.set_yticks(ticks, class_names, fontsize=8, parse_math=False)
    axes.set_xlabel("predicted", fontsize=9, color=INK)
    axes.set_ylabel("true", fontsize=9, color=INK)
    for side in axes.spines.values():
        side.set_visible(False)
    axes.tick_params(length=0)
    save(figure, target)
