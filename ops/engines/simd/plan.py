"""The kernels of a network with its step configuration, in the order in which they run: a value, not yet compiled."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from math import prod

from ops.engines.simd import activation, alone, conv, dense, draws, loss, pixels, pool, resize, update
from ops.engines.simd.code import Code, Place, Vec
from ops.engines.simd.kernel import Kernel
from ops.engines.simd.layout import Area, Layout
from ops.layers import AvgPool2D, Conv2D, Dense, Dropout, Flatten, Layer, MaxPool2D, Resize
from ops.layers.activation import Activation
from ops.network import Network
from ops.step_config import StepConfig


@dataclass
class Plan:
    """What happens to a block (or a step), kernel after kernel.

    draw: a block's random flips and shifts. scale: bytes to numbers. forward, predict: the way there in training and
    without. alone: that without a block, for one example. loss. backward: the way back, as far as one block goes.
    panel: gradients of dense weights, for several blocks. clear, update: before and after a step.
    """

    network: Network
    step_config: StepConfig
    layout: Layout = field(init=False)
    draw: list[Kernel] = field(default_factory=list)
    scale: list[Kernel] = field(default_factory=list)
    forward: list[Kernel] = field(default_factory=list)
    predict: list[Kernel] = field(default_factory=list)
    alone: list[Kernel] = field(default_factory=list)
    loss: list[Kernel] = field(default_factory=list)
    backward: list[Kernel] = field(default_factory=list)
    panel: list[Kernel] = field(default_factory=list)
    clear: list[Kernel] = field(default_factory=list)
    update: list[Kernel] = field(default_factory=list)

    def __post_init__(self) -> None:
        layout = self.layout = Layout(self.network)
        self._augmented = bool(self.step_config.flip or self.step_config.shift)
        if self._augmented:
            self.draw.append(Kernel("draw", partial(draws.augmentation, step_config=self.step_config)))
        self.scale.append(Kernel("scale", partial(pixels.scale, length=layout.pixels, x=layout.values[0])))
        for position, layer in enumerate(self.network.layers):
            kernels = self._forward(position, layer)
            self.forward += kernels
            self.predict += [self._copy(position)] if isinstance(layer, Dropout) else kernels
        self.alone += alone.kernels(layout)
        self._loss()
        for position in reversed(range(layout.first, len(self.network.layers))):
            self._backward(position, self.network.layers[position])
        self._update()

    def _name(self, position: int, what: str) -> str:
        return f"{self.network.layer_names[position]}.{what}"

    def _forward(self, position: int, layer: Layer) -> list[Kernel]:
        layout, shape = self.layout, self.network.shapes[position]
        x, y, elements = layout.values[position], layout.values[position + 1], prod(shape)

        def finish(code: Code, result: Vec, place: Place) -> None:
            code.store(activation.value(code, layout.fused(position), result), place + y)

        match layer:
            case Conv2D():
                write = partial(
                    conv.forward,
                    plane=conv.Plane.of(layer, shape),
                    x=x,
                    finish=finish,
                    weight=self._parameter(position, "weight"),
                    bias=self._bias(position),
                )
            case Dense():
                write = partial(
                    dense.forward,
                    weight=layout.parameters[position, "weight"],
                    x=x,
                    finish=finish,
                    start=self._parameter(position, "weight"),
                    bias=self._bias(position),
                )
            case MaxPool2D() | AvgPool2D():
                write = partial(pool.forward, pool=pool.Pool.of(layer, shape), x=x, y=y)
            case Dropout(rate):
                write = partial(
                    draws.dropout,
                    rate=rate,
                    position=position,
                    elements=elements,
                    x=x,
                    y=y,
                    mask=layout.masks[position],
                )
            case Resize():
                write = partial(resize.forward, x_shape=shape, y_shape=self.network.shapes[position + 1], x=x, y=y)
            case Activation() if x != y:
                write = partial(activation.forward, layer=layer, elements=elements, x=x, y=y)
            case Activation() | Flatten():
                return []
            case _:
                raise TypeError(f"no kernels for {layer}")
        return [Kernel(self._name(position, "forward"), write, self._flops(position))]

    def _copy(self, position: int) -> Kernel:
        """What dropout does to predictions: nothing."""
        x, y = self.layout.values[position : position + 2]

        def write(code: Code) -> None:
            with code.loop(0, prod(self.network.shapes[position])) as n:
                code.store(code.load(n * code.lanes + x), n * code.lanes + y)

        return Kernel(self._name(position, "copy"), write)

    def _loss(self) -> None:
        layout, boundary = self.layout, len(self.network.layers)
        if boundary not in layout.gradients:
            layout.gradients[boundary] = Area(layout.values[-1])

        def write(code: Code) -> None:
            dy = _at(code, layout.gradients[boundary])
            loss.softmax_cross_entropy(
                code, layout, self.network.classes, layout.values[-1], dy, self.step_config.label_smoothing
            )

        self.loss.append(Kernel("loss", write))

    def _backward(self, position: int, layer: Layer) -> None:
        layout, shape = self.layout, self.network.shapes[position]
        there, further = layout.gradients[position + 1], position > layout.first
        here = layout.gradients[position] if further else None
        elements, x = prod(shape), layout.values[position]
        flops = self._flops(position)
        kernels: dict[str, tuple[Callable[[Code], None], int]] = {}

        def finish(code: Code, result: Vec, place: Place) -> None:
            assert here is not None
            taken = self._slope_taken(position)
            if taken is not None:
                result = activation.slope(code, taken, result, code.load(place + x))
            code.store(result, place + _at(code, here))

        match layer:
            case Conv2D():
                plane = conv.Plane.of(layer, shape)
                kernels["weight_gradient"] = (
                    lambda code: conv.weight_gradient(
                        code, plane, x, _at(code, there), layout.lane_sums[position, "weight"]
                    ),
                    flops,
                )
                if layer.bias:
                    kernels["bias_gradient"] = (
                        lambda code: conv.bias_gradient(
                            code,
                            plane.y_shape[0],
                            plane.y_shape[1] * plane.y_shape[2],
                            _at(code, there),
                            layout.lane_sums[position, "bias"],
                        ),
                        0,
                    )
                if further:
                    weight = self._parameter(position, "weight")
                    kernels["input_gradient"] = (
                        lambda code: conv.input_gradient(code, plane, _at(code, there), weight, finish),
                        flops,
                    )
            case Dense():
                parameter, rows = layout.parameters[position, "weight"], layout.rows[position]
                kernels["keep_rows"] = (lambda code: dense.keep_rows(code, elements, x, _at(code, rows)), 0)
                if layer.bias:
                    kernels["bias_gradient"] = (
                        lambda code: conv.bias_gradient(
                            code, layer.units, 1, _at(code, there), layout.lane_sums[position, "bias"]
                        ),
                        0,
                    )
                if further:
                    kernels["input_gradient"] = (
                        lambda code: dense.input_gradient(
                            code, parameter, _at(code, there), layout.theta + parameter.start, finish
                        ),
                        flops,
                    )
                self.panel.append(
                    Kernel(
                        self._name(position, "weight_gradient"),
                        lambda code: dense.weight_gradient(
                            code,
                            parameter,
                            (there.start, there.step),
                            (rows.start, rows.step),
                            layout.gradient + parameter.start,
                        ),
                        flops,
                    )
                )
            case MaxPool2D() | AvgPool2D():
                if further:
                    geometry, y = pool.Pool.of(layer, shape), layout.values[position + 1]
                    kernels["backward"] = (
                        lambda code: pool.backward(
                            code, geometry, x, y, _at(code, there), _at(code, _known(here)), finish
                        ),
                        0,
                    )
            case Dropout():
                if further:
                    mask = layout.masks[position]

                    def masked(code: Code) -> None:
                        with code.loop(0, elements) as n:
                            place = n * code.lanes
                            finish(code, code.load(place + _at(code, there)) * code.load(place + mask), place)

                    kernels["backward"] = (masked, 0)
            case Resize():
                if further:
                    kernels["backward"] = (
                        lambda code: resize.backward(
                            code, shape, self.network.shapes[position + 1], _at(code, there), _at(code, _known(here))
                        ),
                        0,
                    )
            case Activation():
                if not self._slope_is_taken(position):
                    y = layout.values[position + 1]
                    kernels["backward"] = (
                        lambda code: activation.backward(code, layer, elements, _at(code, there), y),
                        0,
                    )
        self.backward += [Kernel(self._name(position, what), *rest) for what, rest in kernels.items()]

    def _update(self) -> None:
        layout = self.layout
        sums = [(start, layout.parameters[key].size) for key, start in layout.lane_sums.items()]
        areas = [(layout.gradient, layout.count), *((start, size * layout.lanes) for start, size in sums)]
        self.clear.append(Kernel("clear", partial(update.clear, areas=areas)))

        def sum_lanes(code: Code) -> None:
            for key, start in layout.lane_sums.items():
                parameter = layout.parameters[key]
                update.sum_lanes(code, start, parameter.size, layout.gradient + parameter.start)

        self.update.append(Kernel("sum_lanes", sum_lanes))
        self.update.append(Kernel("update", partial(update.step, layout=layout, step_config=self.step_config)))

    def _slope_taken(self, position: int) -> Activation | None:
        """The activation before layer `position` whose slope that layer applies to the gradient it sends back."""
        before = position - 1
        while before > 0 and isinstance(self.network.layers[before], Flatten):
            before -= 1
        layer = self.network.layers[before] if before >= 0 else None
        if not isinstance(layer, Activation) or before < self.layout.first:
            return None
        here = self.network.layers[position]
        if isinstance(here, MaxPool2D | AvgPool2D):
            return layer if pool.Pool.of(here, self.network.shapes[position]).apart else None
        return layer if isinstance(here, Conv2D | Dense | Dropout) else None

    def _slope_is_taken(self, position: int) -> bool:
        """Whether the layer behind the activation at `position` applies its slope."""
        behind = position + 1
        while behind < len(self.network.layers) and isinstance(self.network.layers[behind], Flatten):
            behind += 1
        return behind < len(self.network.layers) and self._slope_taken(behind) is not None

    def _parameter(self, position: int, key: str) -> int:
        return self.layout.theta + self.layout.parameters[position, key].start

    def _bias(self, position: int) -> int | None:
        return self._parameter(position, "bias") if (position, "bias") in self.layout.parameters else None

    def _flops(self, position: int) -> int:
        """What one pass through the layer takes, padding's products not counted: 2 for each product and its sum."""
        layer, shape = self.network.layers[position], self.network.shapes[position]
        if isinstance(layer, Dense):
            return 2 * layer.units * shape[0]
        if isinstance(layer, Conv2D):
            plane = conv.Plane.of(layer, shape)
            taps = sum(map(len, plane.rows)) * sum(map(len, plane.columns))
            return 2 * taps * plane.fan[0] * plane.y_shape[0]
        return 0


def _at(code: Code, area: Area) -> Place:
    """Where the area of the block at hand begins."""
    return code.slot * area.step + area.start if area.step else area.start


def _known(area: Area | None) -> Area:
    assert area is not None
    return area
