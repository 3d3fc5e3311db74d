"""A network's passes on a GPU, stage by stage; as `ops.passes`, whose results they match."""

from dataclasses import replace
from typing import Any

from ops.arrays import Array
from ops.backends.cuda import launches
from ops.backends.cuda.device import Device
from ops.backends.cuda.lowering import lower
from ops.backends.cuda.stage import Parameters, channels_first, channels_last
from ops.layers import Context
from ops.network import Network
from ops.step_config import StepConfig


class Program:
    """A network for one device."""

    def __init__(self, network: Network, device: Device) -> None:
        self.network = network
        self.device = device
        self.stages = lower(network, device)
        self._first = next((turn for turn, stage in enumerate(self.stages) if self._learns(stage.position)), None)

    def forward(self, parameters: Parameters, x: Array, context: Context) -> tuple[Array, list[Any]]:
        """The output (n, classes) for a batch `x` (n, c, h, w), and what each stage saved for `backward`."""
        saved = []
        x = channels_last(x)
        for stage in self.stages:
            x, kept = stage.forward(x, parameters, replace(context, position=stage.position))
            saved.append(kept)
        return channels_first(x).reshape(len(x), self.network.classes), saved

    def backward(self, parameters: Parameters, dy: Array, saved: list[Any], *, into: Parameters) -> None:
        """From the loss's gradient `dy` (n, classes) that of each parameter, written to the arrays of `into`."""
        if self._first is None:
            return
        dy = channels_last(dy.reshape(-1, *self.network.shapes[-1]))
        for turn in reversed(range(self._first, len(self.stages))):
            stage = self.stages[turn]
            dy = stage.backward(dy, saved[turn], parameters, into, input_gradient=turn > self._first)
            saved[turn] = None  # what it kept is free for the stages to come

    def update(self, theta: Array, velocity: Array, gradient: Array, rate: Array, step_config: StepConfig) -> None:
        """`ops.update.take_step`; rate: (1,) float32. The gradient stays as it is."""
        trained = self.network.num_parameters
        if trained < self.network.size:
            theta[trained:] = gradient[trained:]
        launches.sgd(self.device, theta[:trained], velocity, gradient[:trained], rate, step_config)

    def _learns(self, position: int) -> bool:
        return any(piece.layer == position for piece in self.network.table)
