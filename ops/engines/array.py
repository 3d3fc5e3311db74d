"""The engine that is always there: the operators composed, on NumPy or CuPy, for any network."""

import platform
from dataclasses import dataclass
from types import ModuleType

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import ThreadpoolController, threadpool_info

from ops import augment
from ops.arrays import Array
from ops.backends.cpu import memory
from ops.backends.cuda import cudnn
from ops.engines.base import DeviceName, Fingerprint, Floats, Replica, StepResult, Steps
from ops.engines.fingerprint import PACKAGE, digest_of_sources
from ops.engines.inputs import check_parameters, check_steps, checked_examples, checked_images
from ops.engines.spans import OneByOne
from ops.errors import Unsupported
from ops.layers import Context
from ops.loss import check_class_weights, softmax_cross_entropy
from ops.network import Network
from ops.passes import backward, forward
from ops.step_config import StepConfig
from ops.update import take_step

PREDICT_BATCH = 256


@dataclass(frozen=True)
class Data:
    """A data set where the steps run: images (N, c, h, w) uint8, labels (N,) uint8."""

    images: Array
    labels: Array


class ArrayEngine(OneByOne):
    """Runs steps one operator after another; the fast engines are held to what comes out here.

    Args:
        network: The network.
        step_config: How its steps are taken.
        device: `cpu` for NumPy, `cuda` for CuPy.

    Raises:
        Unsupported: There is no CuPy or no GPU.
    """

    name = "array"
    devices = ("cuda", "cpu")
    releases_gil = False  # between its operators, which are short, it needs Python
    speed_rank = 100

    @classmethod
    def supports(cls, network: Network, step_config: StepConfig, device: DeviceName) -> str:
        """See `Engine.supports`. Any network; on a GPU with tensor cores in other precisions too."""
        if step_config.precision == "float32":
            return ""
        if step_config.optimizer != "sgd" or step_config.clip_norm:
            return f"precision {step_config.precision!r} is for steps of SGD, unclipped"
        if device == "cpu":
            return f"precision {step_config.precision!r} needs a GPU"
        return f"precision {step_config.precision!r} needs cuDNN, and {cudnn.missing()}" if cudnn.missing() else ""

    @classmethod
    def slowdown(cls, device: DeviceName) -> str:
        """See `Engine.slowdown`."""
        without = cudnn.missing() if device == "cuda" else ""
        return f"{without}; on an H200 a step of AlexNet took four times as long without it" if without else ""

    @classmethod
    def fingerprint(cls, device: DeviceName) -> Fingerprint:
        """See `Engine.fingerprint`. It computes with NumPy, its BLAS and kernels, or with CuPy, cuDNN and kernels."""
        if device == "cpu":
            return Fingerprint(
                cls.name,
                platform.machine(),
                kernels=digest_of_sources(PACKAGE / "backends" / "cpu", "llvmlite"),
                libraries=f"NumPy {np.__version__}, {_blas()}",
            )
        cupy = _module(device)
        with_cudnn = "" if cudnn.missing() else f", cuDNN {cudnn.Library().version}"
        return Fingerprint(
            cls.name,
            f"sm_{cupy.cuda.Device().compute_capability}",
            kernels=digest_of_sources(PACKAGE / "backends" / "cuda"),
            libraries=f"CuPy {cupy.__version__}{with_cudnn}",
        )

    @classmethod
    def build(cls, network: Network, step_config: StepConfig, device: DeviceName) -> "ArrayEngine":
        """See `Engine.build`. On a GPU by stages, where cuDNN is installed; but only steps of SGD, unclipped."""
        plain = step_config.optimizer == "sgd" and not step_config.clip_norm
        if device == "cuda" and plain and not cudnn.missing():
            from ops.engines.stages import StagesEngine

            return StagesEngine(network, step_config)
        return cls(network, step_config, device=device)

    def __init__(self, network: Network, step_config: StepConfig, *, device: DeviceName = "cpu") -> None:
        self.network = network
        self.step_config = step_config
        self.device = device
        self._xp = _module(device)
        refusal = self.supports(network, step_config, device)
        if refusal:
            raise Unsupported(refusal)
        self._libraries = ThreadpoolController()
        self._memory = memory.Memory()
        check_class_weights(step_config.class_weights, network.classes)
        self._class_weights = self._xp.asarray(step_config.class_weights, np.float32)

    def load(self, images: NDArray[np.uint8], labels: NDArray[np.uint8]) -> Data:
        """See `Engine.load`. Raises ShapeError, DtypeError or LabelError for what the network can't take."""
        images, labels = checked_examples(self.network, images, labels)
        return Data(self._xp.asarray(images), self._xp.asarray(labels))

    def run(self, replica: Replica, data: Data, steps: Steps) -> StepResult:
        """See `Engine.run`. Raises ShapeError for what doesn't fit.

        Sums stay on the device until the last step is done.

        BLAS is held to one thread: how it splits a product among threads decides how the product is rounded.
        """
        check_steps(self.network, self.step_config, replica, steps, len(data.labels))
        with self._libraries.limit(limits=1, user_api="blas"), memory.reused(self._memory):
            return self._run(replica, data, steps)

    def _run(self, replica: Replica, data: Data, steps: Steps) -> StepResult:
        xp = self._xp
        theta = xp.array(replica.theta)
        velocity = xp.array(replica.velocity) if self.step_config.moves_velocity else xp.asarray(replica.velocity)
        loss, correct = self._take(data, theta, velocity, steps)
        used = int(steps.offsets[-1] - steps.offsets[0])
        return StepResult(Replica(_host(theta), _host(velocity)), used, float(loss), int(correct))

    def _take(self, data: Data, theta: Array, velocity: Array, steps: Steps) -> tuple[Array, Array]:
        """Take the steps in place. The sum of the losses (float64) and how many examples were classified right."""
        xp = self._xp
        examples = xp.asarray(steps.examples)
        loss, correct = xp.zeros((), xp.float64), xp.zeros((), xp.int64)
        for step, rate in enumerate(steps.rates):
            batch = examples[int(steps.offsets[step]) : int(steps.offsets[step + 1])]
            if not len(batch):
                continue
            batch_loss, batch_correct, gradient = self.gradient(theta, data, batch, steps.seed, steps.epoch)
            take_step(self.network, theta, velocity, gradient, float(rate), self.step_config)
            loss += batch_loss.astype(xp.float64) * len(batch)
            correct += batch_correct
        return loss, correct

    def gradient(self, theta: Array, data: Data, batch: Array, seed: int, epoch: int) -> tuple[Array, Array, Array]:
        """`(mean loss, correct, gradient (size,))` of one batch; batch: (n,) numbers of examples."""
        network, parameters = self.network, self.network.parameters(theta)
        images, labels = self._examples(data, batch, seed, epoch)
        context = Context(training=True, seed=seed, epoch=epoch, examples=batch)
        y, saved = forward(network, parameters, scaled(images), context)
        logits = y.reshape(len(batch), network.classes)
        loss, dlogits = self._loss(logits, labels)
        gradient = memory.empty(theta.shape) if self._xp is np else self._xp.empty_like(theta)
        backward(network, parameters, dlogits.reshape(y.shape), saved, into=network.parameters(gradient))
        return loss, (logits.argmax(axis=1) == labels).sum(), gradient

    def _loss(self, logits: Array, labels: Array) -> tuple[Array, Array]:
        smoothing = self.step_config.label_smoothing
        return softmax_cross_entropy(logits, labels, label_smoothing=smoothing, class_weights=self._class_weights)

    def _examples(self, data: Data, batch: Array, seed: int, epoch: int) -> tuple[Array, Array]:
        """A batch's images (n, c, h, w) uint8, flipped and shifted as they are drawn, and labels (n,)."""
        images = data.images[batch]
        flip, shift = self.step_config.flip, self.step_config.shift
        if flip or shift:
            images = augment.apply(images, augment.draw(batch, flip=flip, shift=shift, seed=seed, epoch=epoch))
        return images, data.labels[batch]

    def predict(self, theta: Floats, images: NDArray[np.uint8]) -> Floats:
        """See `Engine.predict`."""
        check_parameters(self.network, theta)
        with self._libraries.limit(limits=1, user_api="blas"), memory.reused():
            return self._predict(theta, images)

    def _predict(self, theta: Floats, images: NDArray[np.uint8]) -> Floats:
        xp, network = self._xp, self.network
        images = checked_images(self.network, images)
        logits = np.empty((len(images), network.classes), np.float32)
        # Numbers that came over a network lie anywhere in memory, and NumPy multiplies unaligned ones in another order.
        parameters = network.parameters(xp.asarray(np.require(theta, np.float32, "A")))
        for start in range(0, len(images), PREDICT_BATCH):
            part = slice(start, start + PREDICT_BATCH)
            y, _ = forward(network, parameters, scaled(xp.asarray(images[part])), Context())
            logits[part] = _host(y.reshape(len(y), network.classes))
        return logits


def scaled(images: Array) -> Array:
    """uint8 pixels as float32 in [0, 1]."""
    return images * np.float32(1 / 255)


def _module(device: str) -> ModuleType:
    if device == "cpu":
        return np
    try:
        import cupy
    except ImportError as error:
        raise Unsupported("device 'cuda' needs CuPy: install atelier-train[cuda12] or [cuda13]") from error
    if not cupy.is_available():
        raise Unsupported("device 'cuda' needs a GPU, and CuPy finds none: use device 'cpu'")
    return cupy


def _host(array: Array) -> Floats:
    return array if isinstance(array, np.ndarray) else array.get()


def _blas() -> str:
    """The BLAS that NumPy uses, and for which architecture it computes."""
    found = sorted(
        f"{library['internal_api']} {library['version']} for {library.get('architecture', 'any processor')}"
        for library in threadpool_info()
        if library["user_api"] == "blas"
    )
    return found[0] if found else "no BLAS"
