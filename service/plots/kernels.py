"""The kernels of the first layer."""

from collections.abc import Sequence
from math import ceil
from pathlib import Path
from typing import BinaryIO

import numpy as np

from ops.engines.base import Floats
from service.plots.style import DIVERGING, new_figure, save

COLUMNS = 8
MAX_KERNELS = 96


def kernels_picture(kernels: Sequence[Floats], target: Path | BinaryIO) -> None:
    """Draw kernels (h, w) side by side on one scale: blue is positive, red negative."""
    shown = list(kernels)[:MAX_KERNELS]
    columns = min(len(shown), COLUMNS)
    rows = ceil(len(shown) / columns)
    figure = new_figure(0.9 * columns, 0.9 * rows)
    limit = max(float(np.abs(kernel).max()) for kernel in shown) or 1.0
    for index, axes in enumerate(figure.subplots(rows, columns, squeeze=False).flat):
        axes.set_axis_off()
        if index < len(shown):
            axes.imshow(shown[index], cmap=DIVERGING, vmin=-limit, vmax=limit, interpolation="nearest")
    save(figure, target)
