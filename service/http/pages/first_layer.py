"""The first layer for the gallery: its kernels, and its outputs for a test image."""

from base64 import b64encode

import numpy as np
from numpy.typing import NDArray

from ops.layers import Context, Conv2D
from service.http.pages.samples import to_png
from service.registry import ModelVersion
from service.registry.draft import first_kernels

MAX_FILTERS = 16
MAX_KERNEL_SIDE = 11


def kernel_grids(model: ModelVersion) -> list[list[list[tuple[str, float]]]]:
    """The first layer's kernels as rows of (sign, strength in [0, 1]); none for networks without convolutions."""
    kernels = first_kernels(model.build_network(), model.parameters())[:MAX_FILTERS]
    if not kernels or kernels[0].shape[0] > MAX_KERNEL_SIDE:
        return []
    limit = max(float(np.abs(kernel).max()) for kernel in kernels) or 1.0
    return [
        [[("p" if value > 0 else "n", round(abs(float(value)) / limit, 3)) for value in row] for row in kernel]
        for kernel in kernels
    ]


def feature_maps(model: ModelVersion, image: NDArray[np.uint8]) -> list[str]:
    """The output of each filter of a first convolution for an image, as `data:` addresses; none for other networks."""
    network = model.build_network()
    layer = network.layers[0]
    if not isinstance(layer, Conv2D):
        return []
    x_nchw = image[None, None].astype(np.float32) / np.float32(255)
    y_nopq, _ = layer.forward(x_nchw, network.parameters(model.parameters())[0], Context())
    return [_data_address(to_png(_stretched(plane))) for plane in y_nopq[0][:MAX_FILTERS]]


def _stretched(plane: NDArray[np.float32]) -> NDArray[np.uint8]:
    low, high = float(plane.min()), float(plane.max())
    return ((plane - low) * (255 / ((high - low) or 1))).astype(np.uint8)


def _data_address(png: bytes) -> str:
    return f"data:image/png;base64,{b64encode(png).decode()}"
