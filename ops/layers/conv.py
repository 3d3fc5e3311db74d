"""Two-dimensional convolution (cross-correlation) as a layer."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import prod
from typing import Any

from ops.arrays import Array
from ops.conv import conv2d, conv2d_grad
from ops.errors import GeometryError, ShapeError
from ops.geometry import IntOrPair, Pair, conv_output_size, count, pair
from ops.layers.base import Context, Layer, Shape, register


@register
@dataclass(frozen=True)
class Conv2D(Layer):
    """Filters slid over the input, with a bias for each.

    Parameters: weight (channels, in_channels / groups, kernel height, kernel width), bias (channels,).

    Attributes:
        channels: How many filters there are.
        kernel_size: Of a filter, an int or a (vertical, horizontal) pair.
        stride: Likewise.
        padding: Likewise.
        dilation: Likewise.
        groups: How many groups the channels are in.
        bias: Whether there is one.
        in_channels: Filled in when the layer takes its place in a network.
    """

    channels: int
    kernel_size: IntOrPair
    stride: IntOrPair = 1
    padding: IntOrPair = 0
    dilation: IntOrPair = 1
    groups: int = 1
    bias: bool = True
    in_channels: int | None = None

    def __post_init__(self) -> None:
        for name, least in (("kernel_size", 1), ("stride", 1), ("padding", 0), ("dilation", 1)):
            object.__setattr__(self, name, pair(name, getattr(self, name), least=least))
        if count("channels", self.channels) % count("groups", self.groups):
            raise GeometryError(f"channels must be a multiple of groups {self.groups}, got {self.channels}")

    def __str__(self) -> str:
        text = f"Conv2D({self.in_channels} -> {self.channels}, kernel_size={self.kernel_size}, stride={self.stride}"
        if self.padding != (0, 0):
            text += f", padding={self.padding}"
        if self.dilation != (1, 1):
            text += f", dilation={self.dilation}"
        if self.groups != 1:
            text += f", groups={self.groups}"
        if not self.bias:
            text += ", bias=False"
        return text + ")"

    def bind(self, input_shape: Shape) -> "Conv2D":
        if len(input_shape) != 3:
            raise ShapeError(f"Conv2D needs an input of shape (c, h, w), got {input_shape}")
        c = input_shape[0]
        if self.in_channels not in (None, c) or c % self.groups:
            raise ShapeError(
                f"Conv2D with in_channels={self.in_channels} and groups={self.groups} can't take {c} input channels"
            )
        return replace(self, in_channels=c)

    def output_shape(self, input_shape: Shape) -> Shape:
        self.bind(input_shape)
        return self.channels, *conv_output_size((input_shape[1], input_shape[2]), **self._window)

    def parameter_shapes(self, input_shape: Shape) -> dict[str, Shape]:
        shapes: dict[str, Shape] = {"weight": (self.channels, input_shape[0] // self.groups, *self._kernel)}
        if self.bias:
            shapes["bias"] = (self.channels,)
        return shapes

    def flops(self, input_shape: Shape) -> int:
        taps = input_shape[0] // self.groups * prod(self._kernel)
        return 2 * taps * prod(self.output_shape(input_shape))

    def receptive_field(self, input_shape: Shape) -> tuple[Pair, Pair]:
        (r, s), (tall, wide) = self._kernel, pair("dilation", self.dilation)
        return (tall * (r - 1) + 1, wide * (s - 1) + 1), pair("stride", self.stride)

    def forward(self, x: Array, parameters: Mapping[str, Array], context: Context) -> tuple[Array, Any]:
        return conv2d(x, parameters["weight"], parameters.get("bias"), **self._geometry), x

    def backward(
        self, dy: Array, saved: Any, parameters: Mapping[str, Array], *, input_gradient: bool = True
    ) -> tuple[Array | None, dict[str, Array]]:
        dx, dw, db = conv2d_grad(
            dy,
            saved,
            parameters["weight"],
            input_gradient=input_gradient,
            bias_gradient=self.bias,
            **self._geometry,
        )
        return dx, {"weight": dw} if db is None else {"weight": dw, "bias": db}

    @property
    def _kernel(self) -> Pair:
        return self.kernel_size  # type: ignore[return-value]  # a pair since __post_init__

    @property
    def _window(self) -> dict[str, Any]:
        return {
            "kernel": self.kernel_size,
            "stride": self.stride,
            "padding": self.padding,
            "dilation": self.dilation,
        }

    @property
    def _geometry(self) -> dict[str, Any]:
        return {
            "stride": self.stride,
            "padding": self.padding,
            "dilation": self.dilation,
            "groups": self.groups,
        }
