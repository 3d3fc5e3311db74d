"""The kernels of a network with its step configuration, in the order in which they run: a value, not yet compiled."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial

from ops.engines.simd.codegen.code import Code
from ops.engines.simd.codegen.kernel import Kernel
from ops.engines.simd.kernels import augment, loss, pixels, update
from ops.engines.simd.program.layout import Layout
from ops.network import Network
from ops.step_config import StepConfig


@dataclass
class Plan:
    """What happens to a block, or once a step, kernel after kernel.

    Attributes:
        network: The network.
        step_config: How its steps are taken.
        layout: Where its numbers lie.
        augment: Draws a block's flips and shifts.
        scale: From a block's bytes to numbers.
        forward: The forward pass of a block in training.
        predict: The forward pass of a block when predicting.
        single_example: From the bytes of one example to its logits.
        loss: A block's loss and its gradient.
        backward: A block's backward pass.
        panel: Gradients of dense weights, for all blocks of a panel.
        clear: Before a step.
        update: After a step.
    """

    network: Network
    step_config: StepConfig
    layout: Layout = field(init=False)
    augment: list[Kernel] = field(default_factory=list)
    scale: list[Kernel] = field(default_factory=list)
    forward: list[Kernel] = field(default_factory=list)
    predict: list[Kernel] = field(default_factory=list)
    single_example: list[Kernel] = field(default_factory=list)
    loss: list[Kernel] = field(default_factory=list)
    backward: list[Kernel] = field(default_factory=list)
    panel: list[Kernel] = field(default_factory=list)
    clear: list[Kernel] = field(default_factory=list)
    update: list[Kernel] = field(default_factory=list)

    def __post_init__(self) -> None:
        layout = self.layout = Layout(self.network)
        if self.step_config.flip or self.step_config.shift:
            self.augment.append(Kernel("augment", partial(augment.draw, step_config=self.step_config)))
        length, x = layout.pixels, layout.values[0]
        self.scale.append(Kernel("scale", partial(pixels.scale, length=length, x=x)))
        self.single_example.append(Kernel("scale.single_example", partial(pixels.scale_single, length=length, x=x)))
        for position, kernels in enumerate(layout.kernels):
            buffers = layout.buffers(position)
            self.forward += kernels.forward(buffers)
            self.predict += kernels.predict(buffers)
            self.single_example += kernels.single_example(buffers)
        self.loss.append(Kernel("loss", self._write_loss))
        for position in reversed(range(layout.first, len(layout.kernels))):
            buffers = layout.buffers(position)
            self.backward += layout.kernels[position].backward(buffers)
            self.panel += layout.kernels[position].panel(buffers)
        self._add_update()

    def _write_loss(self, code: Code) -> None:
        layout = self.layout
        dy = layout.gradients[len(self.network.layers)].at(code)
        loss.softmax_cross_entropy(code, layout.step, self.network.classes, layout.values[-1], dy, self.step_config)

    def _add_update(self) -> None:
        layout, step = self.layout, self.layout.step
        sums = [(start, layout.parameters[key]) for key, start in layout.lane_sums.items()]
        areas = [(step.gradient, step.count), *((start, parameter.size * layout.lanes) for start, parameter in sums)]

        def sum_lanes(code: Code) -> None:
            for start, parameter in sums:
                update.sum_lanes(code, start, parameter.size, step.gradient + parameter.start)

        self.clear.append(Kernel("clear", partial(update.clear, areas=areas)))
        self.update.append(Kernel("sum_lanes", sum_lanes))
        self.update.append(Kernel("update", partial(update.step, buffers=step, step_config=self.step_config)))
