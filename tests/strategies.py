"""Drawn shapes: what hypothesis varies when operators are tested."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from hypothesis import strategies as st

from ops.errors import GeometryError
from ops.geometry import pool_output_size

DTYPES = st.sampled_from([np.dtype(np.float32), np.dtype(np.float64)])
SEEDS = st.integers(0, 2**32 - 1)


def pairs(low: int, high: int) -> st.SearchStrategy[tuple[int, int]]:
    """Two ints, drawn apart, so that the axes differ."""
    return st.tuples(st.integers(low, high), st.integers(low, high))


@dataclass(frozen=True)
class ConvCase:
    """A convolution: shapes, whether there is a bias, the keywords of `conv2d`, and a seed for the numbers."""

    x_shape: tuple[int, int, int, int]
    w_shape: tuple[int, int, int, int]
    bias: bool
    seed: int
    window: dict[str, Any] = field(default_factory=dict)


@st.composite
def conv_cases(draw: st.DrawFn) -> ConvCase:
    """Uneven sizes, every kind of stride, padding, dilation and grouping; the output is never empty."""
    groups = draw(st.integers(1, 3))
    channels, outputs = draw(pairs(1, 3))
    kernel, stride = draw(pairs(1, 4)), draw(pairs(1, 3))
    padding, dilation = draw(pairs(0, 2)), draw(pairs(1, 3))
    more = draw(pairs(0, 5))
    plane = [max(1, d * (k - 1) + 1 - 2 * p) + m for k, p, d, m in zip(kernel, padding, dilation, more, strict=True)]
    return ConvCase(
        x_shape=(draw(st.integers(1, 3)), groups * channels, plane[0], plane[1]),
        w_shape=(groups * outputs, channels, *kernel),
        bias=draw(st.booleans()),
        seed=draw(SEEDS),
        window={"stride": stride, "padding": padding, "dilation": dilation, "groups": groups},
    )


@dataclass(frozen=True)
class PoolCase:
    """A pooling: the input's shape, the window, the keywords that all poolings take, and a seed for the numbers."""

    x_shape: tuple[int, int, int, int]
    size: tuple[int, int]
    seed: int
    window: dict[str, Any] = field(default_factory=dict)


@st.composite
def pool_cases(draw: st.DrawFn, *, half: bool = False) -> PoolCase:
    """Uneven sizes, overlapping and gaping windows, hanging windows in ceil_mode; the output is never empty.

    half: whether padding is at most half the window, as PyTorch wants it.
    """
    size = draw(pairs(1, 4))
    stride = draw(st.none() | pairs(1, 4))
    padding = tuple(draw(st.integers(0, k // 2 if half else k - 1)) for k in size)
    ceil_mode = draw(st.booleans())
    plane = draw(pairs(1, 9))
    try:
        pool_output_size(plane, size, stride or size, padding, ceil_mode)
    except GeometryError:
        plane = plane[0] + size[0], plane[1] + size[1]
    return PoolCase(
        x_shape=(*draw(pairs(1, 3)), *plane),
        size=size,
        seed=draw(SEEDS),
        window={"stride": stride, "padding": padding, "ceil_mode": ceil_mode},
    )


PLANES = st.tuples(st.integers(1, 3), st.integers(1, 3), st.integers(1, 9), st.integers(1, 9))
"""Shapes (n, c, h, w)."""

MATRICES = st.tuples(st.integers(1, 5), st.integers(1, 9))
"""Shapes (n, units)."""
