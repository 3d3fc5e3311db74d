"""The fully connected layer."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ops.arrays import Array
from ops.dense import dense, dense_grad
from ops.errors import ShapeError
from ops.geometry import count
from ops.layers.base import Context, Layer, Shape, register


@register
@dataclass(frozen=True)
class Dense(Layer):
    """Every output is a weighted sum of all inputs: y = x wᵀ + b.

    Parameters: weight (units, inputs), bias (units,).

    Attributes:
        units: How many outputs there are.
        bias: Whether there is one.
    """

    units: int
    bias: bool = True

    def __post_init__(self) -> None:
        count("units", self.units)

    def __str__(self) -> str:
        return f"Dense({self.units})" if self.bias else f"Dense({self.units}, bias=False)"

    def output_shape(self, input_shape: Shape) -> Shape:
        if len(input_shape) != 1:
            raise ShapeError(f"Dense needs a flat input, got {input_shape}: put Flatten() before it")
        return (self.units,)

    def parameter_shapes(self, input_shape: Shape) -> dict[str, Shape]:
        weight: dict[str, Shape] = {"weight": (self.units, input_shape[0])}
        return weight | {"bias": (self.units,)} if self.bias else weight

    def flops(self, input_shape: Shape) -> int:
        return 2 * input_shape[0] * self.units

    def receptive_field(self, input_shape: Shape) -> None:
        return None

    def forward(self, x: Array, parameters: Mapping[str, Array], context: Context) -> tuple[Array, Any]:
        return dense(x, parameters["weight"], parameters.get("bias")), x

    def backward(
        self, dy: Array, saved: Any, parameters: Mapping[str, Array], *, input_gradient: bool = True
    ) -> tuple[Array | None, dict[str, Array]]:
        dx, dw, db = dense_grad(dy, saved, parameters["weight"], input_gradient=input_gradient)
        return dx, {"weight": dw, "bias": db} if self.bias else {"weight": dw}
