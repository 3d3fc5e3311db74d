"""Pixels with the data's own mean and deviation taken out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any

from ops.arrays import Array, array_module
from ops.errors import RangeError, ShapeError
from ops.layers.base import Context, Layer, Shape, register


@register
@dataclass(frozen=True)
class Normalize(Layer):
    """(x - mean) / deviation, channel by channel, with numbers that are given. Nothing is learned.

    Without numbers it stands for the means and deviations of the data that a network will be trained on. It has shapes
    then, but computes nothing.

    Attributes:
        means: A number for each channel, on the scale of the input: pixels are in [0, 1].
        deviations: Likewise, above 0.
    """

    means: tuple[float, ...] = ()
    deviations: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        for name, least in (("means", None), ("deviations", 0)):
            object.__setattr__(self, name, _numbers(name, getattr(self, name), least))
        if len(self.means) != len(self.deviations):
            raise ShapeError(f"means and deviations must be as many, got {len(self.means)} and {len(self.deviations)}")

    def __str__(self) -> str:
        numbers = f"means={self.means}, deviations={self.deviations}" if self.means else "of the data set"
        return f"Normalize({numbers})"

    def output_shape(self, input_shape: Shape) -> Shape:
        fits = input_shape[0] == len(self.means) or not self.means
        if len(input_shape) not in (1, 3) or not fits:
            raise ShapeError(f"Normalize with {len(self.means)} means can't take an input of shape {input_shape}")
        return input_shape

    def forward(self, x: Array, parameters: Mapping[str, Array], context: Context) -> tuple[Array, Any]:
        return (x - self._channels(self.means, x)) / self._channels(self.deviations, x), None

    def backward(
        self, dy: Array, saved: Any, parameters: Mapping[str, Array], *, input_gradient: bool = True
    ) -> tuple[Array | None, dict[str, Array]]:
        return dy / self._channels(self.deviations, dy) if input_gradient else None, {}

    def check_filled(self) -> None:
        """Raise ShapeError where it stands for numbers that nobody has filled in."""
        if not self.means:
            raise ShapeError("Normalize needs means and deviations: those of the data set, or numbers of your own")

    def _channels(self, numbers: tuple[float, ...], x: Array) -> Array:
        """The numbers as an array that goes with x (n, c, h, w) or (n, c)."""
        self.check_filled()
        return array_module(x).asarray(numbers, x.dtype).reshape(-1, *[1] * (x.ndim - 2))


def _numbers(name: str, given: Sequence[float], least: float | None) -> tuple[float, ...]:
    numbers = tuple(given) if isinstance(given, tuple | list) else (given,)
    for number in numbers:
        right = isinstance(number, int | float) and not isinstance(number, bool) and isfinite(number)
        if not right or (least is not None and number <= least):
            raise RangeError(
                f"{name} must be finite numbers{'' if least is None else f' above {least}'}, got {number!r}"
            )
    return tuple(map(float, numbers))
