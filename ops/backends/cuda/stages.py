"""What a network becomes on a GPU: a layer each, or a few that share a pass over memory.

Planes are stored channels last; (n, units) is as everywhere.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from ops.arrays import Array, array_module
from ops.backends.cuda import launches
from ops.backends.cuda.convolution import Convolution
from ops.backends.cuda.device import Device
from ops.backends.cuda.launches import Pool
from ops.geometry import Pair, conv_output_size, pair, pool_output_size
from ops.layers import AvgPool2D, Context, Conv2D, Dense, Dropout, Layer, MaxPool2D, Resize, Shape
from ops.pool import window_counts

Parameters = Sequence[Mapping[str, Array]]
"""For each layer its parameters by name, as `Network.parameters` gives them."""


class Stage(ABC):
    """One layer on a device, or some of them. position: the first of them in the network."""

    def __init__(self, device: Device, position: int) -> None:
        self.device = device
        self.position = position

    @abstractmethod
    def forward(self, x: Array, parameters: Parameters, context: Context) -> tuple[Array, Any]:
        """`(y, saved)`: the output for a batch, and what `backward` needs."""

    @abstractmethod
    def backward(
        self, dy: Array, saved: Any, parameters: Parameters, gradients: Parameters, *, input_gradient: bool = True
    ) -> Array | None:
        """dx, or None where it isn't wanted; the gradients of parameters are written to `gradients`."""


class ConvStage(Stage):
    """A convolution with its bias and the ReLU behind it."""

    def __init__(self, device: Device, position: int, layer: Conv2D, *, relu: bool) -> None:
        super().__init__(device, position)
        self.layer = layer
        self.relu = relu

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


class BlockedConvStage(Stage):
    """The first convolution, where it has few channels and a stride: blocks of a stride become channels.

    With s the stride and r = s a + b, a filter's element r meets pixel s i + r = s (i + a) + b, which is channel b of
    block i + a: so the convolution is one of stride 1 with filters ceil(r / s) long, zeros beyond their end, and
    s * s * c channels, on which engines are several times as fast as on one.
    """

    def __init__(self, device: Device, position: int, layer: Conv2D, *, relu: bool) -> None:
        super().__init__(device, position)
        self.layer = layer
        self.relu = relu

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


class DenseStage(Stage):
    """A dense layer with its bias and the ReLU behind it."""

    def __init__(self, device: Device, position: int, layer: Dense, *, relu: bool) -> None:
        super().__init__(device, position)
        self.layer = layer
        self.relu = relu

    def forward(self, x: Array, parameters: Parameters, context: Context) -> tuple[Array, Any]:
        own = parameters[self.position]
        y = self.device.empty((x.shape[0], self.layer.units))
        self.device.multiply(x, own["weight"], y, b_transposed=True)
        if "bias" in own:
            launches.add_bias(self.device, y, own["bias"], relu=self.relu)
        return y, (x, y)

    def backward(
        self, dy: Array, saved: Any, parameters: Parameters, gradients: Parameters, *, input_gradient: bool = True
    ) -> Array | None:
        device, (x, y) = self.device, saved
        into, dx = gradients[self.position], None
        dz = launches.bias_gradient(device, dy, y, into.get("bias"), relu=self.relu)
        if input_gradient:
            dx = device.empty(x.shape)
            device.multiply(dz, parameters[self.position]["weight"], dx)
        device.multiply(dz, x, into["weight"], a_transposed=True)
        return dx


class MaxPoolStage(Stage):
    """Max pooling."""

    def __init__(self, device: Device, position: int, layer: MaxPool2D, input_shape: Shape) -> None:
        super().__init__(device, position)
        self.pool = pool_of(layer, input_shape)

    def forward(self, x: Array, parameters: Parameters, context: Context) -> tuple[Array, Any]:
        return launches.max_pool(self.device, x, self.pool)

    def backward(
        self, dy: Array, saved: Any, parameters: Parameters, gradients: Parameters, *, input_gradient: bool = True
    ) -> Array | None:
        return launches.max_pool_grad(self.device, dy, saved, self.pool) if input_gradient else None


class AvgPoolStage(Stage):
    """Average pooling."""

    def __init__(self, device: Device, position: int, layer: AvgPool2D, input_shape: Shape) -> None:
        super().__init__(device, position)
        self.pool = pool_of(layer, input_shape)
        counts = window_counts(
            *(self.pool.plane, self.pool.size, self.pool.stride, self.pool.padding, self.pool.places),
            include_pad=layer.count_include_pad,
        )
        self.counts = device.array(counts.astype("f4"))

    def forward(self, x: Array, parameters: Parameters, context: Context) -> tuple[Array, Any]:
        return launches.avg_pool(self.device, x, self.counts, self.pool), None

    def backward(
        self, dy: Array, saved: Any, parameters: Parameters, gradients: Parameters, *, input_gradient: bool = True
    ) -> Array | None:
        return launches.avg_pool_grad(self.device, dy, self.counts, self.pool) if input_gradient else None


class DropoutStage(Stage):
    """Dropout; the mask is drawn again going back."""

    def __init__(self, device: Device, position: int, layer: Dropout) -> None:
        super().__init__(device, position)
        self.layer = layer

    def forward(self, x: Array, parameters: Parameters, context: Context) -> tuple[Array, Any]:
        if not context.training or self.layer.rate == 0:
            return x, None
        return self._masked(x, context), context

    def backward(
        self, dy: Array, saved: Any, parameters: Parameters, gradients: Parameters, *, input_gradient: bool = True
    ) -> Array | None:
        if not input_gradient:
            return None
        return dy if saved is None else self._masked(dy, saved)

    def _masked(self, x: Array, context: Context) -> Array:
        assert context.examples is not None
        keys = {"seed": context.seed, "epoch": context.epoch, "position": self.position}
        return launches.dropout(self.device, x, self.layer.rate, context.examples.astype("i4", copy=False), **keys)


class ResizeStage(Stage):
    """Images of another size, in front of whatever learns: there is no gradient."""

    def __init__(self, device: Device, position: int, layer: Resize) -> None:
        super().__init__(device, position)
        self.layer = layer

    def forward(self, x: Array, parameters: Parameters, context: Context) -> tuple[Array, Any]:
        size: Any = self.layer.size  # a pair since it was made
        return launches.resize(self.device, x, size), None

    def backward(
        self, dy: Array, saved: Any, parameters: Parameters, gradients: Parameters, *, input_gradient: bool = True
    ) -> Array | None:
        assert not input_gradient
        return None


class FlattenStage(Stage):
    """(n, h, w, c) becomes (n, c * h * w), channel by channel as `ops.Flatten` has it."""

    def forward(self, x: Array, parameters: Parameters, context: Context) -> tuple[Array, Any]:
        return channels_first(x).reshape(x.shape[0], -1), x.shape

    def backward(
        self, dy: Array, saved: Any, parameters: Parameters, gradients: Parameters, *, input_gradient: bool = True
    ) -> Array | None:
        if not input_gradient:
            return None
        if len(saved) != 4:
            return dy.reshape(saved)
        n, h, w, c = saved
        return channels_last(dy.reshape(n, c, h, w))


class ComposedStage(Stage):
    """Any layer, as the operators compose it; planes are put channels first unless it works number by number."""

    def __init__(self, device: Device, position: int, layer: Layer, *, elementwise: bool) -> None:
        super().__init__(device, position)
        self.layer = layer
        self.elementwise = elementwise

    def forward(self, x: Array, parameters: Parameters, context: Context) -> tuple[Array, Any]:
        inside = replace(context, position=self.position)
        y, saved = self.layer.forward(self._in(x), parameters[self.position], inside)
        return self._out(y), saved

    def backward(
        self, dy: Array, saved: Any, parameters: Parameters, gradients: Parameters, *, input_gradient: bool = True
    ) -> Array | None:
        own = parameters[self.position]
        dx, found = self.layer.backward(self._in(dy), saved, own, input_gradient=input_gradient)
        for name, gradient in found.items():
            gradients[self.position][name][...] = gradient
        return None if dx is None else self._out(dx)

    def _in(self, x: Array) -> Array:
        return x if self.elementwise else channels_first(x)

    def _out(self, y: Array) -> Array:
        return y if self.elementwise else channels_last(y)


def pool_of(layer: MaxPool2D | AvgPool2D, input_shape: Shape) -> Pool:
    """A pooling's geometry on such an input (c, h, w)."""
    plane = (input_shape[1], input_shape[2])
    window = layer.window(plane)
    places = pool_output_size(plane, **window)
    return Pool(plane, places, window["window"], window["stride"], window["padding"])


def channels_first(x: Array) -> Array:
    """Planes (n, h, w, c) as (n, c, h, w); anything else as it is."""
    return _contiguous(x.transpose(0, 3, 1, 2)) if x.ndim == 4 else x


def channels_last(x: Array) -> Array:
    """Planes (n, c, h, w) as (n, h, w, c); anything else as it is."""
    return _contiguous(x.transpose(0, 2, 3, 1)) if x.ndim == 4 else x


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


def _contiguous(x: Array) -> Array:
    return array_module(x).ascontiguousarray(x)
