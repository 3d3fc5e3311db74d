"""The array engine on a GPU with cuDNN: a network as stages, steps as recordings, rounds that stay on the device."""

from collections.abc import Iterable, Iterator
from functools import partial

import numpy as np
from numpy.typing import NDArray

from ops.arrays import Array
from ops.backends.cuda.device import CupyDevice, Device
from ops.backends.cuda.program import Program
from ops.backends.cuda.rounds import run_rounds
from ops.backends.cuda.steps import take
from ops.engines.array import PREDICT_BATCH, ArrayEngine, Data, scaled
from ops.engines.base import Floats, Replica, RoundResult, RoundSteps, StepResult, Steps
from ops.engines.inputs import checked_images
from ops.layers import Context
from ops.network import Network
from ops.step_config import StepConfig


class StagesEngine(ArrayEngine):
    """Runs steps by stages.

    on: what stands for the GPU; the current one by default, which raises Unsupported where there is none or no cuDNN.
    """

    def __init__(self, network: Network, step_config: StepConfig, on: Device | None = None) -> None:
        super().__init__(network, step_config, device="cpu" if on else "cuda")
        self._device = CupyDevice(step_config.precision) if on is None else on
        self._program = Program(network, self._device)
        with self._device.on():
            self._class_weights = self._device.array(np.asarray(step_config.class_weights, np.float32))
            self._device.host(self._class_weights)  # the copy is done

    def load(self, images: NDArray[np.uint8], labels: NDArray[np.uint8]) -> Data:
        """See `Engine.load`."""
        with self._device.on():
            data = super().load(images, labels)
            self._device.host(data.labels)  # both copies are done
            return data

    def _run(self, replica: Replica, data: Data, steps: Steps) -> StepResult:
        device = self._device
        with device.on():
            theta, moves = device.array(replica.theta), bool(self.step_config.momentum)
            velocity = device.array(replica.velocity) if moves else device.empty((0,))
            loss, correct = self._take(data, theta, velocity, steps)
            used = int(steps.offsets[-1] - steps.offsets[0])
            after = Replica(device.host(theta), device.host(velocity) if moves else replica.velocity)
            return StepResult(after, used, float(device.host(loss)), int(device.host(correct)))

    def _take(self, data: Data, theta: Array, velocity: Array, steps: Steps) -> tuple[Array, Array]:
        """See `ArrayEngine._take`."""
        loss, correct = self._xp.zeros((), np.float64), self._xp.zeros((), np.int64)

        def one(batch: Array, rate: Array) -> None:
            mean, hits, gradient = self.gradient(theta, data, batch, steps.seed, steps.epoch)
            self._program.update(theta, velocity, gradient, rate, self.step_config)
            self._xp.add(loss, mean.astype(np.float64) * len(batch), out=loss)
            self._xp.add(correct, hits, out=correct)

        take(self._device, one, steps)
        return loss, correct

    def run_rounds(
        self, replica: Replica, outer: Floats, data: Data, rounds: Iterable[RoundSteps]
    ) -> Iterator[RoundResult]:
        """See `Engine.run_rounds`. Averages with buffers among them are taken on the host."""
        if self.network.size > self.network.num_parameters:
            return super().run_rounds(replica, outer, data, rounds)
        return run_rounds(self._device, partial(self._take, data), replica, outer, rounds)

    def gradient(self, theta: Array, data: Data, batch: Array, seed: int, epoch: int) -> tuple[Array, Array, Array]:
        """See `ArrayEngine.gradient`."""
        network, parameters = self.network, self.network.parameters(theta)
        images, labels = self._examples(data, batch, seed, epoch)
        context = Context(training=True, seed=seed, epoch=epoch, examples=batch)
        logits, saved = self._program.forward(parameters, scaled(images), context)
        loss, dlogits = self._loss(logits, labels)
        gradient = self._xp.empty_like(theta)
        self._program.backward(parameters, dlogits, saved, into=network.parameters(gradient))
        return loss, (logits.argmax(axis=1) == labels).sum(), gradient

    def _predict(self, theta: Floats, images: NDArray[np.uint8]) -> Floats:
        images = checked_images(self.network, images)
        logits = np.empty((len(images), self.network.classes), np.float32)
        with self._device.on():
            parameters = self.network.parameters(self._device.array(theta))
            for start in range(0, len(images), PREDICT_BATCH):
                part = self._device.array(images[start : start + PREDICT_BATCH])
                found, _ = self._program.forward(parameters, scaled(part), Context())
                logits[start : start + len(part)] = self._device.host(found)
        return logits
