"""Dropout whose masks belong to the example, not to the batch it happens to be in."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ops.arrays import Array
from ops.dropout import dropout_mask
from ops.errors import GeometryError
from ops.layers.base import Context, Layer


@dataclass(frozen=True)
class Dropout(Layer):
    """In training, each number is zeroed with probability `rate` and the others scaled by 1 / (1 - rate)."""

    rate: float

    def __post_init__(self) -> None:
        if not 0 <= self.rate < 1:
            raise GeometryError(f"rate must be in [0, 1), got {self.rate}")

    def __str__(self) -> str:
        return f"Dropout({self.rate})"

    def forward(self, x: Array, parameters: Mapping[str, Array], context: Context) -> tuple[Array, Any]:
        if not context.training or self.rate == 0:
            return x, None
        mask = dropout_mask(x, self.rate, context.examples, context.seed, context.epoch, context.position)
        return x * mask, mask

    def backward(
        self, dy: Array, saved: Any, parameters: Mapping[str, Array], *, input_gradient: bool = True
    ) -> tuple[Array | None, dict[str, Array]]:
        if not input_gradient:
            return None, {}
        return dy if saved is None else dy * saved, {}
