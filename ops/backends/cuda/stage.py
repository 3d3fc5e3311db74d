"""What a stage is: a layer of a network on a GPU, or a few that share a pass over memory.

Planes are stored channels last; (n, units) is as everywhere.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

from ops.arrays import Array, array_module
from ops.backends.cuda.device import Device
from ops.layers import Context

Parameters = Sequence[Mapping[str, Array]]
"""For each layer its parameters by name, as `Network.parameters` gives them."""


class Stage(ABC):
    """One layer on a device, or some of them. position: the first of them, in the network or in a block's branch."""

    def __init__(self, device: Device, position: int) -> None:
        self.device = device
        self.position = position

    @abstractmethod
    def forward(self, x: Array, parameters: Parameters, context: Context) -> tuple[Array, Any]:
        """`(y, saved)`: the output for a batch, and what `backward` needs. `context.position` is the layer's own."""

    @abstractmethod
    def backward(
        self, dy: Array, saved: Any, parameters: Parameters, gradients: Parameters, *, input_gradient: bool = True
    ) -> Array | None:
        """dx, or None where it isn't wanted; the gradients of parameters are written to `gradients`."""


def channels_first(x: Array) -> Array:
    """Planes (n, h, w, c) as (n, c, h, w); anything else as it is."""
    return _contiguous(x.transpose(0, 3, 1, 2)) if x.ndim == 4 else x


def channels_last(x: Array) -> Array:
    """Planes (n, c, h, w) as (n, h, w, c); anything else as it is."""
    return _contiguous(x.transpose(0, 2, 3, 1)) if x.ndim == 4 else x


def _contiguous(x: Array) -> Array:
    return array_module(x).ascontiguousarray(x)
