"""Average pooling to a plane of a fixed size."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from ops.adaptive_pool import Span, adaptive_avg_pool2d, adaptive_avg_pool2d_grad, spans
from ops.arrays import Array
from ops.errors import ShapeError
from ops.geometry import IntOrPair, Pair, pair
from ops.layers.base import Context, Layer, Shape, register
from ops.layers.pool import AvgPool2D


@register
@dataclass(frozen=True)
class AdaptiveAvgPool2D(Layer):
    """The mean of each of as many windows as the output has places, whatever the input's size.

    In a network whose planes the output's rows and columns divide, all windows are alike, and it becomes the
    `AvgPool2D` of these windows: every engine has kernels for that.

    Attributes:
        output_size: Rows and columns of the output, an int or a pair.
    """

    output_size: IntOrPair

    def __post_init__(self) -> None:
        object.__setattr__(self, "output_size", pair("output_size", self.output_size, least=1))

    def __str__(self) -> str:
        return f"AdaptiveAvgPool2D(output_size={self.output_size})"

    def bind(self, input_shape: Shape) -> Layer:
        rows, columns = self.output_shape(input_shape)[1:]
        if input_shape[1] % rows or input_shape[2] % columns:
            return self
        return AvgPool2D((input_shape[1] // rows, input_shape[2] // columns))

    def output_shape(self, input_shape: Shape) -> Shape:
        if len(input_shape) != 3:
            raise ShapeError(f"AdaptiveAvgPool2D needs an input of shape (c, h, w), got {input_shape}")
        return input_shape[0], *pair("output_size", self.output_size)

    def receptive_field(self, input_shape: Shape) -> tuple[Pair, Pair]:
        """The largest window, and the largest distance between two."""
        rows, columns = spans(input_shape, self.output_size)
        (tall, down), (wide, across) = _largest(rows), _largest(columns)
        return (tall, wide), (down, across)

    def forward(self, x: Array, parameters: Mapping[str, Array], context: Context) -> tuple[Array, Any]:
        return adaptive_avg_pool2d(x, self.output_size), x.shape

    def backward(
        self, dy: Array, saved: Any, parameters: Mapping[str, Array], *, input_gradient: bool = True
    ) -> tuple[Array | None, dict[str, Array]]:
        return adaptive_avg_pool2d_grad(dy, saved, self.output_size) if input_gradient else None, {}


def _largest(windows: list[Span]) -> tuple[int, int]:
    """The length of the longest window, and how far apart two neighbours begin at most."""
    lengths = [stop - first for first, stop in windows]
    distances = [after[0] - before[0] for before, after in pairwise(windows)]
    return max(lengths), max(distances, default=1)
