"""The engine itself: checks its arguments, gives each call memory of its own, and calls the machine code once."""

from __future__ import annotations

import platform
from collections import deque
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ops.engines.base import DeviceName, Fingerprint, Floats, Replica, StepResult, Steps
from ops.engines.fingerprint import digest_of_sources
from ops.engines.inputs import check_parameters, check_steps, checked_examples, checked_images
from ops.engines.object_cache import object_cache
from ops.engines.simd.codegen.lane_data import EPOCH, ROWS, SEED_HIGH, SEED_LOW
from ops.engines.simd.cpu import cpu
from ops.engines.simd.machine_code import LoadedProgram, machine_code
from ops.engines.simd.program.layout import Layout
from ops.engines.simd.program.memory import Memory
from ops.engines.simd.support import check
from ops.engines.spans import OneByOne
from ops.errors import Unsupported
from ops.loss import check_class_weights
from ops.network import Network
from ops.random import seed_key
from ops.step_config import StepConfig


@dataclass(frozen=True)
class Data:
    """A data set as the kernels read it.

    Attributes:
        images: (N, …) uint8, contiguous.
        labels: (N,) uint8, contiguous.
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.uint8]


class SimdEngine(OneByOne):
    """Runs steps and predictions in vector code made for the network and this processor.

    Examples are taken in blocks of as many as a vector register holds floats, one in each lane. A whole `run` is one
    call, which holds neither the GIL nor any lock. Raises Unsupported where `check` does.
    """

    name = "simd"
    devices = ("cpu",)
    releases_gil = True
    speed_rank = 10

    @classmethod
    def supports(cls, network: Network, step_config: StepConfig, device: DeviceName) -> str:
        """See `Engine.supports`."""
        try:
            check(network, step_config)
        except Unsupported as error:
            return str(error)
        return ""

    @classmethod
    def fingerprint(cls, device: DeviceName) -> Fingerprint:
        """See `Engine.fingerprint`. It makes its kernels itself, for the processor's vectors."""
        kernels = digest_of_sources(Path(__file__).parent, "llvmlite")
        return Fingerprint(cls.name, platform.machine(), cpu().lanes, kernels)

    @classmethod
    def build(cls, network: Network, step_config: StepConfig, device: DeviceName) -> SimdEngine:
        """See `Engine.build`."""
        return cls(network, step_config)

    def __init__(self, network: Network, step_config: StepConfig) -> None:
        check_class_weights(step_config.class_weights, network.classes)
        check(network, step_config)
        self.network = network
        self.step_config = step_config
        self._layout = Layout(network)
        self._free: deque[Memory] = deque()
        self._program = LoadedProgram(machine_code(network, step_config, object_cache("simd")))

    def load(self, images: NDArray[np.uint8], labels: NDArray[np.uint8]) -> Data:
        """See `Engine.load`. Raises ShapeError, DtypeError or LabelError for what the network can't take."""
        images, labels = checked_examples(self.network, images, labels)
        return Data(np.ascontiguousarray(images), np.ascontiguousarray(labels))

    def run(self, replica: Replica, data: Data, steps: Steps) -> StepResult:
        """See `Engine.run`. Raises ShapeError for what doesn't fit."""
        check_steps(self.network, self.step_config, replica, steps, len(data.labels))
        layout, examples, offsets = self._layout, _contiguous(steps.examples), _contiguous(steps.offsets)
        memory, at = self._acquire(), layout.step
        low, high = seed_key(steps.seed)
        rows = memory.lane_data.reshape(ROWS, layout.lanes).view(np.uint32)
        rows[SEED_LOW], rows[SEED_HIGH], rows[EPOCH] = low, high, steps.epoch
        memory.packed = None
        layout.pack(replica.theta, memory.floats, at.theta)
        layout.pack(replica.velocity, memory.floats, at.velocity)
        rates = np.ascontiguousarray(steps.rates, np.float32)
        self._call(memory, data.images, data.labels, examples, offsets, rates, len(rates), True, memory.floats)
        after = Replica(layout.unpack(memory.floats, at.theta), layout.unpack(memory.floats, at.velocity))
        used = int(offsets[-1] - offsets[0]) if len(steps) else 0
        result = StepResult(after, used, float(memory.result[0]), int(memory.result[1]))
        self._free.append(memory)
        return result

    def predict(self, theta: Floats, images: NDArray[np.uint8]) -> Floats:
        """See `Engine.predict`. Several threads may call it at once.

        A read-only `theta` that owns its numbers is packed once for many calls.
        """
        check_parameters(self.network, theta)
        images = np.ascontiguousarray(checked_images(self.network, images))
        count, layout = len(images), self._layout
        logits = np.empty((count, self.network.classes), np.float32)
        if not count:
            return logits
        memory = self._acquire()
        if memory.packed is not theta:
            layout.pack(theta, memory.floats, layout.step.theta)
            layout.transpose(memory.floats)
            memory.packed = None if theta.flags.writeable or theta.base is not None else theta
        examples, offsets = np.arange(count, dtype=np.int32), np.array([0, count], np.int32)
        self._call(memory, images, images, examples, offsets, memory.floats, 1, False, logits)
        self._free.append(memory)
        return logits

    def _call(
        self,
        memory: Memory,
        images: NDArray[np.uint8],
        labels: NDArray[np.uint8],
        examples: NDArray[np.int32],
        offsets: NDArray[np.int32],
        rates: Floats,
        steps: int,
        training: bool,
        logits: Floats,
    ) -> None:
        addresses = (array.ctypes.data for array in (images, labels, examples, offsets, rates))
        out, result = logits.ctypes.data, memory.result.ctypes.data
        self._program.call(*memory.addresses, *addresses, steps, int(training), out, result)

    def _acquire(self) -> Memory:
        """Memory that no other call uses: that of a finished call, or new."""
        try:
            return self._free.pop()
        except IndexError:
            return Memory(self._layout)


def _contiguous(numbers: NDArray[np.int32]) -> NDArray[np.int32]:
    return np.ascontiguousarray(numbers, np.int32)
