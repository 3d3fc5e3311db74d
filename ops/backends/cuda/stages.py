"""Stages other than convolutions: dense layers, pooling, dropout, sizes, and any layer at all."""

from typing import Any

from ops.arrays import Array
from ops.backends.cuda import launches
from ops.backends.cuda.device import Device
from ops.backends.cuda.launches import Pool
from ops.backends.cuda.stage import Parameters, Stage, channels_first, channels_last
from ops.geometry import pool_output_size
from ops.layers import AvgPool2D, Context, Dense, Dropout, Layer, MaxPool2D, Resize, Shape
from ops.pool import window_counts


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
        keys = {"seed": context.seed, "epoch": context.epoch, "position": context.position}
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
        y, saved = self.layer.forward(self._in(x), parameters[self.position], context)
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
