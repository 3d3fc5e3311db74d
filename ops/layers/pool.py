"""Pooling layers: the largest, or the mean, of each window."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ops.arrays import Array
from ops.errors import ShapeError
from ops.geometry import IntOrPair, Pair, pair, pool_output_size
from ops.layers.base import Context, Layer, Shape, register
from ops.pool import avg_pool2d, avg_pool2d_grad, max_pool2d, max_pool2d_grad


@dataclass(frozen=True)
class _Pool2D(Layer):
    """What both kinds share. They print as the textbook prints them, with `pool_type` and `layout=NCHW`.

    Attributes:
        size: The window, an int or a pair.
        stride: How far apart windows are; the window's size unless it is given.
        padding: Rows and columns around the plane.
        ceil_mode: Whether a last window may hang over the edge.
        global_pool: Whether the whole plane is the window.
    """

    size: IntOrPair = 1
    stride: IntOrPair | None = None
    padding: IntOrPair = 0
    ceil_mode: bool = False
    global_pool: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "size", pair("size", self.size, least=1))
        stride = self.size if self.stride is None else self.stride
        object.__setattr__(self, "stride", pair("stride", stride, least=1))
        object.__setattr__(self, "padding", pair("padding", self.padding))

    def __str__(self) -> str:
        return (
            f"{type(self).__name__}(size={self.size}, stride={self.stride}, padding={self.padding}, "
            f"ceil_mode={self.ceil_mode}, global_pool={self.global_pool}, pool_type={self._kind}, layout=NCHW)"
        )

    @property
    def _kind(self) -> str:
        return type(self).__name__[:3].lower()

    def output_shape(self, input_shape: Shape) -> Shape:
        if len(input_shape) != 3:
            raise ShapeError(f"{type(self).__name__} needs an input of shape (c, h, w), got {input_shape}")
        window = self.window((input_shape[1], input_shape[2]))
        return input_shape[0], *pool_output_size((input_shape[1], input_shape[2]), **window)

    def window(self, plane: Pair) -> dict[str, Any]:
        """The window on an `(h, w)` plane as `window, stride, padding, ceil_mode`."""
        if self.global_pool:
            return {"window": plane, "stride": plane, "padding": (0, 0), "ceil_mode": False}
        return {
            "window": self.size,
            "stride": self.stride,
            "padding": self.padding,
            "ceil_mode": self.ceil_mode,
        }

    def receptive_field(self, input_shape: Shape) -> tuple[Pair, Pair]:
        window = self.window((input_shape[1], input_shape[2]))
        return window["window"], window["stride"]

    def _arguments(self, x_shape: Shape) -> tuple[Pair, dict[str, Any]]:
        window = self.window((x_shape[-2], x_shape[-1]))
        return window.pop("window"), window


@register
@dataclass(frozen=True)
class MaxPool2D(_Pool2D):
    """The largest number of each window; padding counts as minus infinity."""

    def forward(self, x: Array, parameters: Mapping[str, Array], context: Context) -> tuple[Array, Any]:
        size, rest = self._arguments(x.shape)
        y, argmax = max_pool2d(x, size, **rest)
        return y, (argmax, x.shape)

    def backward(
        self, dy: Array, saved: Any, parameters: Mapping[str, Array], *, input_gradient: bool = True
    ) -> tuple[Array | None, dict[str, Array]]:
        argmax, x_shape = saved
        size, rest = self._arguments(x_shape)
        return max_pool2d_grad(dy, argmax, x_shape, size, **rest) if input_gradient else None, {}


@register
@dataclass(frozen=True)
class AvgPool2D(_Pool2D):
    """The mean of each window; `count_include_pad` says whether padding's zeros count."""

    count_include_pad: bool = True

    def forward(self, x: Array, parameters: Mapping[str, Array], context: Context) -> tuple[Array, Any]:
        size, rest = self._arguments(x.shape)
        return avg_pool2d(x, size, count_include_pad=self.count_include_pad, **rest), x.shape

    def backward(
        self, dy: Array, saved: Any, parameters: Mapping[str, Array], *, input_gradient: bool = True
    ) -> tuple[Array | None, dict[str, Array]]:
        size, rest = self._arguments(saved)
        if not input_gradient:
            return None, {}
        return avg_pool2d_grad(dy, saved, size, count_include_pad=self.count_include_pad, **rest), {}
