"""From planes to a vector."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

from ops.arrays import Array
from ops.layers.base import Context, Layer, Shape, register


@register
@dataclass(frozen=True)
class Flatten(Layer):
    """(n, c, h, w) becomes (n, c * h * w), channel by channel and row by row."""

    def __str__(self) -> str:
        return "Flatten()"

    def output_shape(self, input_shape: Shape) -> Shape:
        return (prod(input_shape),)

    def forward(self, x: Array, parameters: Mapping[str, Array], context: Context) -> tuple[Array, Any]:
        return x.reshape(x.shape[0], prod(x.shape[1:])), x.shape

    def backward(
        self, dy: Array, saved: Any, parameters: Mapping[str, Array], *, input_gradient: bool = True
    ) -> tuple[Array | None, dict[str, Array]]:
        return dy.reshape(saved) if input_gradient else None, {}
