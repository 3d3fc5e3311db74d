"""Convolutions as stages."""

from typing import Any

from ops.arrays import Array, array_module
from ops.backends.cuda import launches
from ops.backends.cuda.convolution import Convolution
from ops.backends.cuda.device import Device
from ops.backends.cuda.stage import Parameters, Stage
from ops.geometry import Pair, conv_output_size, pair
from ops.layers import Context, Conv2D


class _ConvolutionStage(Stage):
    """What both ways of a convolution, with its bias and the ReLU behind it, begin with."""

    def __init__(self, device: Device, position: int, layer: Conv2D, *, relu: bool) -> None:
        super().__init__(device, position)
        self.layer = layer
        self.relu = relu


class ConvStage(_ConvolutionStage):
    """A convolution with its bias and the ReLU behind it."""

    def forward(self, x: Array, parameters: Parameters, context: Context) -> tuple[Array, Any]:
        device, own = self.device, parameters[self.position]
        of = self._convolution(x, own["weight"])
        w_orsc, y = _aligned(device, own["weight"]), device.empty(of.y_shape)
        device.convolve("forward", of, x, w_orsc, y)
        if "bias" in own:
            launches.add_bias(device, y, own["bias"], relu=self.relu)
        return y, (of, x, w_orsc, y)

    def backward(
        self, dy: Array, saved: Any, parameters: Parameters, gradients: Parameters, *, input_gradient: bool = True
    ) -> Array | None:
        device, (of, x, w_orsc, y) = self.device, saved
        into, dx = gradients[self.position], None
        dz = launches.bias_gradient(device, dy, y, into.get("bias"), relu=self.relu)
        if input_gradient:
            dx = device.empty(of.x_shape)
            mirrored = of.mirrored()
            if mirrored is None:
                device.convolve("data", of, dx, w_orsc, dz)
            else:  # forward engines are up to three times as fast
                device.convolve("forward", mirrored, dz, _mirrored(device, parameters[self.position]["weight"]), dx)
        dw = device.empty(of.w_shape)
        device.convolve("weights", of, x, dw, dz)
        into["weight"][...] = dw.transpose(0, 3, 1, 2)
        return dx

    def _convolution(self, x: Array, w: Array) -> Convolution:
        o, c, r, s = w.shape
        layer: Any = self.layer  # its pairs are pairs
        return Convolution(x.shape, (o, r, s, c), layer.stride, layer.padding, layer.dilation)


class BlockedConvStage(_ConvolutionStage):
    """The first convolution, where it has few channels and a stride: blocks of a stride become channels.

    With s the stride and r = s a + b, a filter's element r meets pixel s i + r = s (i + a) + b, which is channel b of
    block i + a: so the convolution is one of stride 1 with filters ceil(r / s) long, zeros beyond their end, and
    s * s * c channels, on which engines are several times as fast as on one.
    """

    def forward(self, x: Array, parameters: Parameters, context: Context) -> tuple[Array, Any]:
        device, own = self.device, parameters[self.position]
        w_blocks = self._blocks_of(own["weight"])
        stride, padding = self._pairs()
        kernel = (own["weight"].shape[2], own["weight"].shape[3])
        p, q = conv_output_size((x.shape[1], x.shape[2]), kernel, stride, padding, (1, 1))
        places = (p + w_blocks.shape[1] - 1, q + w_blocks.shape[2] - 1)
        x_blocks = launches.blocks_to_channels(device, x, places, stride, padding)
        of = Convolution(x_blocks.shape, w_blocks.shape, (1, 1), (0, 0), (1, 1))
        y = device.empty(of.y_shape)
        device.convolve("forward", of, x_blocks, w_blocks, y)
        if "bias" in own:
            launches.add_bias(device, y, own["bias"], relu=self.relu)
        return y, (of, x_blocks, y)

    def backward(
        self, dy: Array, saved: Any, parameters: Parameters, gradients: Parameters, *, input_gradient: bool = True
    ) -> Array | None:
        assert not input_gradient
        device, (of, x_blocks, y) = self.device, saved
        into = gradients[self.position]
        dz = launches.bias_gradient(device, dy, y, into.get("bias"), relu=self.relu)
        dw_blocks = device.empty(of.w_shape)
        device.convolve("weights", of, x_blocks, dw_blocks, dz)
        (down, right), (o, c, r, s) = self._pairs()[0], into["weight"].shape
        _, a, b, _ = of.w_shape
        whole = dw_blocks.reshape(o, a, b, down, right, c).transpose(0, 5, 1, 3, 2, 4)
        into["weight"][...] = whole.reshape(o, c, a * down, b * right)[:, :, :r, :s]
        return None

    def _blocks_of(self, w_ocrs: Array) -> Array:
        (down, right), (o, c, r, s) = self._pairs()[0], w_ocrs.shape
        a, b = -(-r // down), -(-s // right)
        whole = array_module(w_ocrs).zeros((o, c, a * down, b * right), w_ocrs.dtype)
        whole[:, :, :r, :s] = w_ocrs
        blocks = self.device.empty((o, a, b, down * right * c))
        blocks[...] = whole.reshape(o, c, a, down, b, right).transpose(0, 2, 4, 3, 5, 1).reshape(blocks.shape)
        return blocks

    def _pairs(self) -> tuple[Pair, Pair]:
        return pair("stride", self.layer.stride), pair("padding", self.layer.padding)


def _aligned(device: Device, w_ocrs: Array) -> Array:
    """A copy (o, r, s, c), at an address as even as cuDNN wants it."""
    o, c, r, s = w_ocrs.shape
    w_orsc = device.empty((o, r, s, c))
    w_orsc[...] = w_ocrs.transpose(0, 2, 3, 1)
    return w_orsc


def _mirrored(device: Device, w_ocrs: Array) -> Array:
    """A copy (c, r, s, o) of the filters, upside down and back to front."""
    o, c, r, s = w_ocrs.shape
    w_crso = device.empty((c, r, s, o))
    w_crso[...] = w_ocrs[:, :, ::-1, ::-1].transpose(1, 2, 3, 0)
    return w_crso
