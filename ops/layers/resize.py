"""Images of another size, for networks made for larger ones."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ops.arrays import Array
from ops.errors import ShapeError
from ops.geometry import IntOrPair, pair
from ops.layers.base import Context, Layer, Shape, register
from ops.resize import resize2d, resize2d_grad


@register
@dataclass(frozen=True)
class Resize(Layer):
    """Bilinear interpolation to `size`, pixel centres at halves (PyTorch's align_corners=False)."""

    size: IntOrPair

    def __post_init__(self) -> None:
        object.__setattr__(self, "size", pair("size", self.size, least=1))

    def __str__(self) -> str:
        return f"Resize(size={self.size})"

    def output_shape(self, input_shape: Shape) -> Shape:
        if len(input_shape) != 3:
            raise ShapeError(f"Resize needs an input of shape (c, h, w), got {input_shape}")
        return input_shape[0], *pair("size", self.size)

    def forward(self, x: Array, parameters: Mapping[str, Array], context: Context) -> tuple[Array, Any]:
        return resize2d(x, self.size), x.shape

    def backward(
        self, dy: Array, saved: Any, parameters: Mapping[str, Array], *, input_gradient: bool = True
    ) -> tuple[Array | None, dict[str, Array]]:
        return resize2d_grad(dy, saved, self.size) if input_gradient else None, {}
