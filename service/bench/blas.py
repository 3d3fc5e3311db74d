"""What BLAS does on one core: the ceiling for arithmetic, and layers by im2col and matrix products."""

import time
from collections.abc import Callable
from functools import partial
from statistics import median
from typing import Any

import numpy as np

from ops.conv import conv2d, conv2d_grad
from ops.dense import dense, dense_grad
from ops.layers import Conv2D, Dense
from ops.network import Network

SIZE = 2048
"""Rows and columns of the matrices whose product is taken for the ceiling."""

BATCH = 128


class Ceiling:
    """A large product of matrices, which runs as fast as this processor can multiply and add."""

    def __init__(self) -> None:
        rng = np.random.default_rng(0)
        self._factors = tuple(rng.random((SIZE, SIZE), np.float32) for _ in range(2))

    def gflops(self) -> float:
        """One product's GFLOP/s."""
        start = time.perf_counter()
        np.matmul(*self._factors)
        return 2e-9 * SIZE**3 / (time.perf_counter() - start)


def layer_seconds(network: Network, repetitions: int) -> dict[str, float]:
    """Seconds an example for each pass of each layer that learns, by the operators of `ops` on a batch.

    The names are those of the engine's kernels: `conv2d1.forward`, `conv2d1.weight_gradient`, …
    The input's gradient comes together with the weights'; it is charged what it adds to their time.
    """
    found = {}
    first = min(piece.layer for piece in network.table)
    rng = np.random.default_rng(0)
    for position, layer in enumerate(network.layers):
        if not isinstance(layer, Conv2D | Dense):
            continue
        name, shapes = network.layer_names[position], network.shapes
        x, dy = (rng.random((BATCH, *shapes[position + n]), np.float32) for n in range(2))
        w = rng.random(layer.parameter_shapes(shapes[position])["weight"], np.float32)
        forward, gradient = _passes(layer, x, w, dy)
        found[f"{name}.forward"] = _seconds(forward, repetitions)
        weights = _seconds(partial(gradient, False), repetitions)
        found[f"{name}.weight_gradient"] = weights
        if position > first:
            both = _seconds(partial(gradient, True), repetitions)
            found[f"{name}.input_gradient"] = max(both - weights, 0.0)
    return found


def _passes(
    layer: Conv2D | Dense, x: np.ndarray, w: np.ndarray, dy: np.ndarray
) -> tuple[Callable[[], object], Callable[[bool], object]]:
    """A layer's way there, and its way back with or without the input's gradient."""
    if isinstance(layer, Dense):
        return lambda: dense(x, w), lambda wanted: dense_grad(dy, x, w, input_gradient=wanted)
    window: dict[str, Any] = {
        "stride": layer.stride,
        "padding": layer.padding,
        "dilation": layer.dilation,
        "groups": layer.groups,
    }
    return (
        lambda: conv2d(x, w, **window),
        lambda wanted: conv2d_grad(dy, x, w, input_gradient=wanted, **window),
    )


def _seconds(call: Callable[[], object], repetitions: int) -> float:
    """The median time of a call, an example."""
    call()
    times = []
    for _ in range(repetitions):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return median(times) / BATCH
