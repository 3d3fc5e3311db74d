"""A convolution's geometry, worked out once for all its kernels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ops.engines.simd.codegen.tap_maps import Taps, output_taps
from ops.geometry import pair
from ops.layers import Conv2D, Shape


@dataclass(frozen=True)
class ConvGeometry:
    """Which rows and columns of the input (h, w) and the output (p, q) meet through which taps (r, s).

    Attributes:
        x_shape: Input (c, h, w).
        y_shape: Output (o, p, q).
        groups: How many groups the channels are in.
        kernel: Taps of a filter (r, s).
        stride: Vertical and horizontal.
        padding: Vertical and horizontal.
        dilation: Vertical and horizontal.
        row_taps: For each output row its taps r and the input rows under them.
        column_taps: For each output column its taps s and the input columns under them.
    """

    x_shape: Shape
    y_shape: Shape
    groups: int
    kernel: tuple[int, int]
    stride: tuple[int, int]
    padding: tuple[int, int]
    dilation: tuple[int, int]
    row_taps: tuple[Taps, ...]
    column_taps: tuple[Taps, ...]

    @classmethod
    def of(cls, layer: Conv2D, x_shape: Shape) -> ConvGeometry:
        y_shape = layer.output_shape(x_shape)
        kernel, stride, padding, dilation = window = [
            pair(name, getattr(layer, name)) for name in ("kernel_size", "stride", "padding", "dilation")
        ]
        row_taps, column_taps = (
            tuple(output_taps(y_shape[1 + axis], x_shape[1 + axis], *(both[axis] for both in window)))
            for axis in range(2)
        )
        return cls(x_shape, y_shape, layer.groups, kernel, stride, padding, dilation, row_taps, column_taps)

    @property
    def group_channels(self) -> tuple[int, int]:
        """Input and output channels of one group."""
        return self.x_shape[0] // self.groups, self.y_shape[0] // self.groups

    @property
    def flops(self) -> int:
        """Useful operations of one pass with one example: products with padding don't count."""
        taps = sum(map(len, self.row_taps)) * sum(map(len, self.column_taps))
        return 2 * taps * self.group_channels[0] * self.y_shape[0]


def terms_by_tap(terms: Sequence[tuple[int, int, int]]) -> list[tuple[int, list[tuple[int, int]]]]:
    """The terms of a `TileRun`, tap by tap: `(s, [(position in the tile, position on the other axis), …])`."""
    found: dict[int, list[tuple[int, int]]] = {}
    for n, tap, at in terms:
        found.setdefault(tap, []).append((n, at))
    return list(found.items())
