"""A network's training by the operators in float64: any layer, with augmentation and dropout."""

import numpy as np
from numpy.typing import NDArray

from ops import augment
from ops.engines.base import Floats, Replica, Steps
from ops.layers import Context
from ops.loss import softmax_cross_entropy
from ops.network import Network
from ops.passes import backward, forward
from ops.step_config import StepConfig
from ops.update import take_step

Doubles = NDArray[np.float64]


def run_in_float64(
    network: Network,
    step_config: StepConfig,
    start: Replica,
    images: NDArray[np.uint8],
    labels: NDArray[np.uint8],
    steps: Steps,
) -> tuple[Doubles, Doubles, float]:
    """`(theta, velocity, summed loss)` after the steps."""
    theta, velocity = start.theta.astype(np.float64), start.velocity.astype(np.float64)
    total = 0.0
    for first, stop, rate in zip(steps.offsets, steps.offsets[1:], steps.rates, strict=False):
        batch = steps.examples[first:stop]
        if not len(batch):
            continue
        flip, shift = step_config.flip, step_config.shift
        drawn = augment.draw(batch, flip=flip, shift=shift, seed=steps.seed, epoch=steps.epoch)
        x = augment.apply(images[batch], drawn) / 255
        context = Context(True, steps.seed, steps.epoch, batch)
        parameters = network.parameters(theta)
        y, saved = forward(network, parameters, x, context)
        logits = y.reshape(len(batch), -1)
        smoothing, weights = step_config.label_smoothing, step_config.class_weights
        loss, dlogits = softmax_cross_entropy(logits, labels[batch], label_smoothing=smoothing, class_weights=weights)
        gradient = np.empty_like(theta)
        backward(network, parameters, dlogits.reshape(y.shape), saved, into=network.parameters(gradient))
        take_step(network, theta, velocity, gradient, float(rate), step_config)
        total += float(loss) * len(batch)
    return theta, velocity, total


def predict_in_float64(network: Network, theta: Floats, images: NDArray[np.uint8]) -> Doubles:
    """Logits (n, classes) of images (n, c, h, w)."""
    y, _ = forward(network, network.parameters(theta.astype(np.float64)), images / 255, Context())
    return y.reshape(len(images), network.classes)
