"""The engine itself: checks what it is given, and has sessions run it."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from ops.engines.base import DeviceName, Fingerprint, Floats, Replica, RoundResult, RoundSteps, StepResult, Steps
from ops.engines.cuda.device import CupyDevice, Device, compute_capability, shared_memory
from ops.engines.cuda.layout import layout
from ops.engines.cuda.plan import MOST_SHARDS, PREDICT_BATCH, plan, predict_launch
from ops.engines.cuda.rounds import AHEAD, Pipeline, shape, used
from ops.engines.cuda.session import Data, Session
from ops.engines.cuda.source import source
from ops.engines.cuda.support import check
from ops.engines.fingerprint import digest_of_sources
from ops.engines.inputs import checked_examples, checked_images
from ops.engines.spans import check_round, check_shards
from ops.errors import ShapeError, Unsupported
from ops.loss import check_class_weights
from ops.network import Network
from ops.step_config import StepConfig

SESSIONS = 4
"""So many are kept for the next call, each with its buffers: for whole batches, for a shard's or all shards', and for
the batch that an epoch ends with."""

STEPS = 32
"""A session is made for a multiple of so many steps: a round that is a little longer fits too."""


class CudaEngine:
    """Runs rounds on a GPU as replays of CUDA graphs, in which shards go side by side.

    device: what stands for the GPU; the current one by default. Raises Unsupported without one, or where `check` does.
    """

    name = "cuda"
    devices = ("cuda",)
    releases_gil = False  # its launches are made from Python
    speed_rank = 10

    @classmethod
    def supports(cls, network: Network, step_config: StepConfig, device: DeviceName) -> str:
        """See `Engine.supports`."""
        try:
            check(network, step_config, shared_memory())
        except Unsupported as error:
            return str(error)
        return ""

    @classmethod
    def slowdown(cls, device: DeviceName) -> str:
        """See `Engine.slowdown`."""
        return ""

    @classmethod
    def fingerprint(cls, device: DeviceName) -> Fingerprint:
        """See `Engine.fingerprint`. It makes its kernels itself, for the GPU's architecture."""
        return Fingerprint(cls.name, f"sm_{compute_capability()}", kernels=digest_of_sources(Path(__file__).parent))

    @classmethod
    def build(cls, network: Network, step_config: StepConfig, device: DeviceName) -> "CudaEngine":
        """See `Engine.build`."""
        return cls(network, step_config)

    def __init__(self, network: Network, step_config: StepConfig, device: Device | None = None) -> None:
        self._device = CupyDevice() if device is None else device
        check_class_weights(step_config.class_weights, network.classes)
        check(network, step_config, self._device.shared)
        self.network = network
        self.step_config = step_config
        self._layout = layout(network, self._device.shared, tensor_cores=self._device.tensor_cores)
        self._module = self._device.compile(source(network, step_config, self._layout), self._layout.bytes)
        self._sessions: list[Session] = []
        self._lock = Lock()

    def load(self, images: NDArray[np.uint8], labels: NDArray[np.uint8]) -> Data:
        """See `Engine.load`. Raises ShapeError, DtypeError or LabelError for what the network can't take."""
        images, labels = checked_examples(self.network, images, labels)
        with self._lock:  # a copy in the midst of a capture would become part of the graph
            return Data(self._device.array(images), self._device.array(labels), len(labels))

    def run(self, replica: Replica, data: Data, steps: Steps) -> StepResult:
        """See `Engine.run`. Raises ShapeError for other parameters, or examples that aren't in the data."""
        return self.run_shards([replica], data, [steps])[0]

    def run_shards(self, replicas: Sequence[Replica], data: Data, steps: Sequence[Steps]) -> list[StepResult]:
        """See `Engine.run_shards`. Raises ShapeError for other parameters, or examples that aren't in the data."""
        check_shards(replicas, steps)
        for replica, of_shard in zip(replicas, steps, strict=True):
            self._check(replica, data, of_shard)
        if not any(map(used, steps)):
            return [StepResult(Replica(r.theta.copy(), r.velocity.copy()), 0, 0.0, 0) for r in replicas]
        with self._lock:
            session = self._session(data, steps)
            session.begin(replicas)
            session.steps(steps, None, session.staging()[0])
            theta, velocity, totals = map(session.read, ("theta", "velocity", "totals"))
            self._sessions.append(session)
        return [
            StepResult(Replica(theta[shard], velocity[shard]), used(of_shard), float(loss), int(correct))
            for shard, (of_shard, (loss, correct)) in enumerate(zip(steps, totals, strict=True))
        ]

    def run_rounds(
        self, replica: Replica, outer: Floats, data: Data, rounds: Iterable[RoundSteps]
    ) -> Iterator[RoundResult]:
        """See `Engine.run_rounds`.

        Raises OpsError for a round without examples, Unsupported for too many shards, ShapeError as `run_shards` does.
        """
        pipeline: Pipeline | None = None
        try:
            for round_ in rounds:
                self._check_round(round_)
                for steps in round_.shards:
                    self._check(replica, data, steps)
                if pipeline is not None and not pipeline.session.holds(data, *shape(round_.shards)):
                    replica, outer = yield from pipeline.drain(velocities=False)
                    self._give_back(pipeline)
                    pipeline = None
                if pipeline is None:
                    pipeline = self._pipeline(data, round_.shards)
                    pipeline.begin(replica, outer)
                pipeline.put(round_)
                if len(pipeline) > AHEAD:
                    yield pipeline.result()
            if pipeline is not None:
                yield from pipeline.drain(velocities=True)
        finally:
            if pipeline is not None:
                self._give_back(pipeline)

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

    def _check_round(self, round_: RoundSteps) -> None:
        check_round(round_)
        if len(round_.shards) > MOST_SHARDS:
            raise Unsupported(f"engine 'cuda' averages at most {MOST_SHARDS} shards, got {len(round_.shards)}")

    def _check(self, replica: Replica, data: Data, steps: Steps) -> None:
        for vector in (replica.theta, replica.velocity):
            self._check_size(vector)
        numbers = steps.examples[steps.offsets[0] : steps.offsets[-1]] if used(steps) else steps.examples[:0]
        if len(numbers) and not (numbers.min() >= 0 and numbers.max() < data.count):
            raise ShapeError(f"examples must be in [0, {data.count}), got {numbers.min()} to {numbers.max()}")

    def _check_size(self, vector: Floats) -> None:
        if vector.shape != (self.network.num_parameters,):
            raise ShapeError(
                f"{self.network.name!r} has {self.network.num_parameters:,} parameters, got shape {vector.shape}"
            )

    def _pipeline(self, data: Data, shards: Sequence[Steps]) -> Pipeline:
        with self._lock:
            session = self._session(data, shards)
        return Pipeline(session, self._device, self._lock)

    def _give_back(self, pipeline: Pipeline) -> None:
        pipeline.close()
        with self._lock:
            self._sessions.append(pipeline.session)

    def _session(self, data: Data, shards: Sequence[Steps]) -> Session:
        """A session for such steps, which is the caller's: one that is kept, or a new one.

        One for far more examples a step is not taken: its blocks without examples would cost time.
        """
        count, capacity, steps = shape(shards)
        for session in self._sessions:
            if session.holds(data, count, capacity, steps) and session.plan.capacity <= 2 * capacity:
                self._sessions.remove(session)
                return session
        # old buffers are let go before new ones are taken
        del self._sessions[: max(0, len(self._sessions) - SESSIONS + 1)]
        made = plan(self.network, self._layout, count, capacity, -(-steps // STEPS) * STEPS)
        return Session(self._device, self._module, self.network, made, data)
