"""Steps one after another on a device, each size of batch recorded once; the host waits for nothing."""

from collections.abc import Callable
from dataclasses import dataclass

from ops.arrays import Array
from ops.backends.cuda.device import Device
from ops.engines.base import Steps

One = Callable[[Array, Array], None]
"""Takes one step in place: batch (n,) numbers of examples, rate (1,) float32."""


@dataclass(frozen=True)
class _Slot:
    """Where steps of one size find their examples and rate, and what takes one."""

    batch: Array
    rate: Array
    take: Callable[[], None]


def take(device: Device, one: One, steps: Steps) -> None:
    """Take the steps; those without examples are skipped. `one` must use the same memory each time."""
    examples, rates = device.array(steps.examples), device.array(steps.rates)
    slots: dict[int, _Slot] = {}
    for step in range(len(steps)):
        first, last = int(steps.offsets[step]), int(steps.offsets[step + 1])
        if first == last:
            continue
        if last - first not in slots:
            slots[last - first] = _slot(device, one, last - first)
        slot = slots[last - first]
        slot.batch[...] = examples[first:last]
        slot.rate[...] = rates[step : step + 1]
        slot.take()


def _slot(device: Device, one: One, size: int) -> _Slot:
    batch, rate = device.empty((size,), "i4"), device.empty((1,))
    return _Slot(batch, rate, device.recorded(lambda: one(batch, rate)))
