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
    """Draw kernels side by side on one scale: (h, w) in blue and red for positive and negative, (3, h, w) in colour."""
    shown = list(kernels)[:MAX_KERNELS]
    columns = min(len(shown), COLUMNS)
    rows = ceil(len(shown) / columns)
    figure = new_figure(0.9 * columns, 0.9 * rows)
    limit = max(float(np.abs(kernel).max()) for kernel in shown) or 1.0
    for index, axes in enumerate(figure.subplots(rows, columns, squeeze=False).flat):
        axes.set_axis_off()
        if index < len(shown):
            kernel = shown[index]
            picture = kernel if kernel.ndim == 2 else as_colours(kernel, limit)
            axes.imshow(picture, cmap=DIVERGING, vmin=-limit, vmax=limit, interpolation="nearest")
    save(figure, target)


def as_colours(kernel: Floats, limit: float) -> Floats:
    """A kernel (3, h, w) as colours (h, w, 3) in [0, 1]: 0 is grey, `limit` and its negative the ends."""
    return np.clip(kernel.transpose(1, 2, 0) / (2 * limit) + np.float32(0.5), 0, 1)
