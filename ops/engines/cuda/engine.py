"""The engine itself: checks what it is given, fills the device's buffers, replays the graph, reads back once."""

from dataclasses import dataclass
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ops.engines.base import Floats, Replica, StepResult, Steps
from ops.engines.cuda.device import CupyDevice, Device
from ops.engines.cuda.layout import layout
from ops.engines.cuda.plan import CHUNK, PREDICT_BATCH, Plan, plan, predict_launch
from ops.engines.cuda.source import source
from ops.engines.cuda.support import check
from ops.engines.inputs import checked_examples, checked_images
from ops.engines.spans import OneByOne
from ops.errors import ShapeError
from ops.network import Network
from ops.random import seed_key
from ops.step_config import StepConfig


@dataclass(frozen=True)
class Data:
    """A data set on the device: images (N, c, h, w) uint8, labels (N,) uint8; count is N."""

    images: Any
    labels: Any
    count: int


@dataclass(frozen=True)
class _Captured:
    """A graph, and the arrays it reads and writes, which it wouldn't keep alive by itself."""

    plan: Plan
    data: Data
    buffers: dict[str, Any]
    graph: Any


class CudaEngine(OneByOne):
    """Runs rounds on a GPU as replays of one CUDA graph. Raises Unsupported without a GPU, or where `check` does.

    device: what stands for the GPU; the current one by default.
    """

    name = "cuda"

    def __init__(self, network: Network, step_config: StepConfig, device: Device | None = None) -> None:
        self._device = CupyDevice() if device is None else device
        check(network, step_config, self._device.shared)
        self.network = network
        self.step_config = step_config
        self._layout = layout(network, self._device.shared)
        self._module = self._device.compile(source(network, step_config, self._layout), self._layout.bytes)
        self._captured: _Captured | None = None
        self._lock = Lock()

    def load(self, images: NDArray[np.uint8], labels: NDArray[np.uint8]) -> Data:
        """See `Engine.load`. Raises ShapeError, DtypeError or LabelError for what the network can't take."""
        images, labels = checked_examples(self.network, images, labels)
        with self._lock:  # a copy in the midst of a capture would become part of the graph
            return Data(self._device.array(images), self._device.array(labels), len(labels))

    def run(self, replica: Replica, data: Data, steps: Steps) -> StepResult:
        """See `Engine.run`. Raises ShapeError for other parameters, or examples that aren't in the data."""
        for vector in (replica.theta, replica.velocity):
            self._check_size(vector)
        first, last = (int(steps.offsets[0]), int(steps.offsets[-1])) if len(steps) else (0, 0)
        used = steps.examples[first:last]
        if len(used) and not (used.min() >= 0 and used.max() < data.count):
            raise ShapeError(f"examples must be in [0, {data.count}), got {used.min()} to {used.max()}")
        if not len(used):
            return StepResult(Replica(replica.theta.copy(), replica.velocity.copy()), 0, 0.0, 0)
        with self._lock:
            return self._run(replica, data, steps, used, first)

    def _run(self, replica: Replica, data: Data, steps: Steps, used: NDArray[np.int32], first: int) -> StepResult:
        device = self._device
        captured = self._ready(data, int(np.diff(steps.offsets).max()), len(used), len(steps))
        buffers = captured.buffers
        # past the last step the offsets stay where they are: such steps are empty
        offsets = np.full(captured.plan.buffers["offsets"].shape, len(used), np.int32)
        offsets[: len(steps) + 1] = steps.offsets - first
        host: dict[str, NDArray[Any]] = {
            "theta": np.asarray(replica.theta, np.float32),
            "velocity": np.asarray(replica.velocity, np.float32),
            "totals": np.zeros(2),
            "control": np.array([0, steps.epoch, *seed_key(steps.seed)], np.uint32),
            "examples": np.asarray(used, np.int32),
            "offsets": offsets,
            "rates": np.asarray(steps.rates, np.float32),
        }
        for name, values in host.items():
            device.write(buffers[name], values)
        device.replay(captured.graph, -(-len(steps) // CHUNK))
        after = Replica(device.read(buffers["theta"]), device.read(buffers["velocity"]))
        loss, correct = device.read(buffers["totals"])
        return StepResult(after, len(used), float(loss), int(correct))

    def predict(self, theta: Floats, images: NDArray[np.uint8]) -> Floats:
        """See `Engine.predict`. Raises ShapeError for other parameters."""
        self._check_size(theta)
        images = checked_images(self.network, images)
        logits = np.empty((len(images), self.network.classes), np.float32)
        device = self._device
        with self._lock:
            weights = device.array(np.asarray(theta, np.float32))
            room = min(len(images), PREDICT_BATCH)
            inputs = device.empty((room, *images.shape[1:]), "u1")
            out = device.empty((room, self.network.classes), "f4")
            for start in range(0, len(images), PREDICT_BATCH):
                part = images[start : start + PREDICT_BATCH]
                device.write(inputs, part)
                launch = predict_launch(self._layout, len(part))
                device.launch(self._module, launch, {"images": inputs, "theta": weights, "logits": out})
                logits[start : start + len(part)] = device.read(out)[: len(part)]
        return logits

    def _check_size(self, vector: Floats) -> None:
        if vector.shape != (self.network.num_parameters,):
            raise ShapeError(
                f"{self.network.name!r} has {self.network.num_parameters:,} parameters, got shape {vector.shape}"
            )

    def _ready(self, data: Data, capacity: int, room: int, steps: int) -> _Captured:
        """A graph that holds such a round: the last one if it is large enough, else a new one."""
        last = self._captured
        if last is not None and last.data is data and _holds(last.plan, capacity, room, steps):
            return last
        # the old buffers are let go before new ones are taken
        self._captured = last = None
        made = plan(self.network, self._layout, capacity, room, steps)
        buffers = {name: self._device.empty(buffer.shape, buffer.dtype) for name, buffer in made.buffers.items()}
        everything = {**buffers, "images": data.images, "labels": data.labels}
        # Kernels are loaded at their first launch, which a capture doesn't allow: launch them once with nothing to do.
        for name in ("offsets", "control"):
            self._device.write(buffers[name], np.zeros(made.buffers[name].shape, made.buffers[name].dtype))
        for launch in (*made.launches[:2], made.launches[-1]):
            self._device.launch(self._module, launch, everything)
        self._captured = _Captured(made, data, everything, self._device.graph(self._module, made.launches, everything))
        return self._captured


def _holds(made: Plan, capacity: int, room: int, steps: int) -> bool:
    buffers = made.buffers
    return capacity <= made.capacity and room <= buffers["examples"].shape[0] and steps <= buffers["rates"].shape[0]
