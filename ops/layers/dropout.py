"""Dropout whose masks belong to the example, not to the batch it happens to be in."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ops.arrays import Array
from ops.checks import check_in
from ops.dropout import dropout_mask
from ops.layers.base import Context, Layer, register


@register
@dataclass(frozen=True)
class Dropout(Layer):
    """In training, each number is zeroed with probability `rate` and the others scaled by 1 / (1 - rate)."""

    rate: float

    def __post_init__(self) -> None:
        check_in("rate", self.rate, 0, 1)

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
