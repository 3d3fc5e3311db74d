"""What every engine asks of the examples that it is given."""

import numpy as np
from numpy.typing import NDArray

from ops.engines.base import Floats, Replica, Steps
from ops.errors import DtypeError, LabelError, ShapeError, Unsupported
from ops.network import Network
from ops.step_config import StepConfig

Bytes = NDArray[np.uint8]


def check_parameters(network: Network, vector: Floats) -> None:
    """Raises ShapeError where a vector has not a number for each parameter and each buffer of the network."""
    _check_length("theta", vector, network.size, network)


def check_plain_steps(engine: str, step_config: StepConfig) -> None:
    """Raises Unsupported for steps other than those of SGD in float32, which is all that an engine's kernels take."""
    if step_config.precision != "float32":
        raise Unsupported(f"engine {engine!r} computes in float32, not in {step_config.precision}")
    if step_config.optimizer != "sgd":
        raise Unsupported(f"engine {engine!r} takes steps of SGD, not of {step_config.optimizer}")
    if step_config.clip_norm:
        raise Unsupported(f"engine {engine!r} doesn't clip gradients")


def check_steps(network: Network, step_config: StepConfig, replica: Replica, steps: Steps, count: int) -> None:
    """Raises ShapeError for vectors of other lengths, or an example that is not among the `count` of the data set."""
    check_parameters(network, replica.theta)
    _check_length("velocity", replica.velocity, step_config.state_size(network.num_parameters), network)
    used = steps.examples[steps.offsets[0] : steps.offsets[-1]] if len(steps) else steps.examples[:0]
    if len(used) and not (used.min() >= 0 and used.max() < count):
        raise ShapeError(f"examples must be in [0, {count}), got {used.min()} to {used.max()}")


def checked_images(network: Network, images: Bytes) -> Bytes:
    """Images (n, c, h, w), where those of one channel may come without that axis. Raises DtypeError or ShapeError."""
    if images.dtype != np.uint8:
        raise DtypeError(f"images must be uint8, got {images.dtype}")
    shape = network.input_shape
    if images.ndim == 3 and shape[0] == 1:
        images = images[:, None]
    if images.shape[1:] != shape:
        raise ShapeError(
            f"images must have shape (n, {', '.join(map(str, shape))}) for network {network.name!r}, got {images.shape}"
        )
    return images


def checked_examples(network: Network, images: Bytes, labels: Bytes) -> tuple[Bytes, Bytes]:
    """Images and as many labels (n,), each a class of the network. Raises DtypeError, ShapeError or LabelError."""
    images = checked_images(network, images)
    if labels.dtype != np.uint8:
        raise DtypeError(f"labels must be uint8, got {labels.dtype}")
    if labels.shape != images.shape[:1]:
        raise ShapeError(f"labels must have shape ({len(images)},), one for each image, got {labels.shape}")
    if len(labels) and labels.max() >= network.classes:
        raise LabelError(f"labels must be in [0, {network.classes}), got {labels.max()}")
    return images, labels


def _check_length(name: str, vector: Floats, length: int, network: Network) -> None:
    if vector.shape != (length,):
        raise ShapeError(f"{name} must have shape ({length},) for network {network.name!r}, got {vector.shape}")
