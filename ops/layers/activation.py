"""Activations: elementwise, with nothing to learn."""

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ops.activation import (
    gelu,
    gelu_grad,
    leaky_relu,
    leaky_relu_grad,
    relu,
    relu_grad,
    sigmoid,
    sigmoid_grad,
    silu,
    silu_grad,
    tanh,
    tanh_grad,
)
from ops.arrays import Array
from ops.layers.base import Context, Layer, register


class Activation(Layer):
    """A function of each number alone whose derivative can be had from its result."""

    def __str__(self) -> str:
        return f"{type(self).__name__}()"

    @abstractmethod
    def value(self, x: Array) -> Array:
        """f(x)."""

    @abstractmethod
    def slope(self, dy: Array, y: Array) -> Array:
        """dy * f'(x), from y = f(x)."""

    def forward(self, x: Array, parameters: Mapping[str, Array], context: Context) -> tuple[Array, Any]:
        y = self.value(x)
        return y, y

    def backward(
        self, dy: Array, saved: Any, parameters: Mapping[str, Array], *, input_gradient: bool = True
    ) -> tuple[Array | None, dict[str, Array]]:
        return self.slope(dy, saved) if input_gradient else None, {}


@register
@dataclass(frozen=True)
class Sigmoid(Activation):
    """1 / (1 + exp(-x))."""

    def value(self, x: Array) -> Array:
        return sigmoid(x)

    def slope(self, dy: Array, y: Array) -> Array:
        return sigmoid_grad(dy, y)


@register
@dataclass(frozen=True)
class Tanh(Activation):
    """(exp(x) - exp(-x)) / (exp(x) + exp(-x))."""

    def value(self, x: Array) -> Array:
        return tanh(x)

    def slope(self, dy: Array, y: Array) -> Array:
        return tanh_grad(dy, y)


@register
@dataclass(frozen=True)
class ReLU(Activation):
    """max(x, 0)."""

    def value(self, x: Array) -> Array:
        return relu(x)

    def slope(self, dy: Array, y: Array) -> Array:
        return relu_grad(dy, y)


@register
@dataclass(frozen=True)
class LeakyReLU(Activation):
    """x where x > 0, else `negative_slope` * x."""

    negative_slope: float = 0.01

    def __str__(self) -> str:
        return f"LeakyReLU({self.negative_slope})"

    def value(self, x: Array) -> Array:
        return leaky_relu(x, self.negative_slope)

    def slope(self, dy: Array, y: Array) -> Array:
        return leaky_relu_grad(dy, y, self.negative_slope)


class CurvedActivation(Activation):
    """A function that falls and rises again, so that its slope can't be had from its result: `slope` takes x for y."""

    def forward(self, x: Array, parameters: Mapping[str, Array], context: Context) -> tuple[Array, Any]:
        return self.value(x), x


@register
@dataclass(frozen=True)
class GELU(CurvedActivation):
    """0.5 x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x³)))."""

    def value(self, x: Array) -> Array:
        return gelu(x)

    def slope(self, dy: Array, y: Array) -> Array:
        return gelu_grad(dy, y)


@register
@dataclass(frozen=True)
class SiLU(CurvedActivation):
    """x / (1 + exp(-x))."""

    def value(self, x: Array) -> Array:
        return silu(x)

    def slope(self, dy: Array, y: Array) -> Array:
        return silu_grad(dy, y)
