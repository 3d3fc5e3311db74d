"""The first layer for the gallery: its kernels, and its outputs for a test image."""

from base64 import b64encode

import numpy as np
from numpy.typing import NDArray

from ops.layers import Context, Conv2D
from service.http.pages.samples import to_png
from service.plots.kernels import as_colours
from service.registry import ModelVersion
from service.registry.draft import first_kernels

MAX_FILTERS = 16
MAX_KERNEL_SIDE = 11


def kernel_grids(model: ModelVersion) -> list[list[list[tuple[str, float]]]]:
    """The first layer's kernels as rows of (sign, strength in [0, 1]); none for networks without convolutions."""
    kernels, limit = _kernels(model)
    if not kernels or kernels[0].ndim == 3:
        return []
    return [
        [[("p" if value > 0 else "n", round(abs(float(value)) / limit, 3)) for value in row] for row in kernel]
        for kernel in kernels
    ]


def colour_kernels(model: ModelVersion) -> list[str]:
    """The first layer's kernels in colour, as `data:` addresses; none for networks that take grey images."""
    kernels, limit = _kernels(model)
    if not kernels or kernels[0].ndim == 2:
        return []
    scaled = (np.rint(as_colours(kernel, limit).transpose(2, 0, 1) * 255).astype(np.uint8) for kernel in kernels)
    return [_data_address(to_png(kernel)) for kernel in scaled]


def _kernels(model: ModelVersion) -> tuple[list[NDArray[np.float32]], float]:
    """The kernels that are shown, and the largest number in them."""
    kernels = first_kernels(model.build_network(), model.parameters())[:MAX_FILTERS]
    shown = [kernel for kernel in kernels if kernel.shape[-1] <= MAX_KERNEL_SIDE]
    return shown, max((float(np.abs(kernel).max()) for kernel in shown), default=1.0) or 1.0


def feature_maps(model: ModelVersion, image: NDArray[np.uint8]) -> list[str]:
    """The output of each filter of a first convolution for an image, as `data:` addresses; none for other networks."""
    network = model.build_network()
    layer = network.layers[0]
    if not isinstance(layer, Conv2D):
        return []
    x_nchw = image.reshape(1, *network.input_shape).astype(np.float32) / np.float32(255)
    y_nopq, _ = layer.forward(x_nchw, network.parameters(model.parameters())[0], Context())
    return [_data_address(to_png(_stretched(plane))) for plane in y_nopq[0][:MAX_FILTERS]]


def _stretched(plane: NDArray[np.float32]) -> NDArray[np.uint8]:
    low, high = float(plane.min()), float(plane.max())
    return ((plane - low) * (255 / ((high - low) or 1))).astype(np.uint8)


def _data_address(png: bytes) -> str:
    return f"data:image/png;base64,{b64encode(png).decode()}"
