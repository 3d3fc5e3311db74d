"""A network's training by the loops of `ops.reference`, in float64: what an engine's steps are compared with."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ops import reference
from ops.engines.base import Replica, Steps
from ops.layers import (
    GELU,
    AdaptiveAvgPool2D,
    AvgPool2D,
    BatchNorm2D,
    Block,
    Conv2D,
    Dense,
    Flatten,
    GroupNorm,
    Layer,
    LeakyReLU,
    MaxPool2D,
    Normalize,
    ReLU,
    Sigmoid,
    SiLU,
    Tanh,
    names_of,
)
from ops.network import Network
from ops.step_config import StepConfig

Doubles = NDArray[np.float64]
Parameters = Mapping[str, Doubles]

SMALL = 1e-6
"""The step of the difference that stands for an activation's derivative; its error is about 1e-10."""


def run_by_loops(
    network: Network,
    step_config: StepConfig,
    start: Replica,
    images: NDArray[np.uint8],
    labels: NDArray[np.uint8],
    steps: Steps,
) -> tuple[Doubles, Doubles, float]:
    """`(theta, velocity, summed loss)` after the steps, each layer forward and back by loops.

    The network may have convolutions, dense layers, poolings, norms, blocks, Flatten and activations; the step
    configuration may have anything but augmentation.
    """
    theta, velocity = start.theta.astype(np.float64), start.velocity.astype(np.float64)
    trained = network.num_parameters
    total = 0.0
    for first, stop, rate in zip(steps.offsets, steps.offsets[1:], steps.rates, strict=False):
        batch = steps.examples[first:stop]
        if not len(batch):
            continue
        loss, gradient = _gradient(network, step_config, theta, images[batch] / 255, labels[batch])
        total += loss * len(batch)
        parameters, buffers = theta[:trained], gradient[trained:]
        gradient = gradient[:trained] + step_config.weight_decay * parameters
        if step_config.momentum:
            velocity = step_config.momentum * velocity + gradient
            gradient = gradient + step_config.momentum * velocity if step_config.nesterov else velocity
        theta = np.concatenate([parameters - float(rate) * gradient, buffers])
    return theta, velocity, total


def predict_by_loops(network: Network, theta: Doubles, images: NDArray[np.uint8]) -> Doubles:
    """Logits (n, classes) of images (n, c, h, w), each layer by loops."""
    x = images / 255
    for layer, own in zip(network.layers, network.parameters(theta), strict=True):
        x, _ = _forward(layer, x, own, training=False)
    return x.reshape(len(images), network.classes)


def _gradient(
    network: Network, step_config: StepConfig, theta: Doubles, x: Doubles, labels: NDArray[np.uint8]
) -> tuple[float, Doubles]:
    """`(mean loss, gradient)` of one batch; a buffer has its next value in the place of a gradient."""
    parameters = network.parameters(theta)
    ways_back: list[Callable[[Doubles], tuple[Doubles, Parameters]]] = []
    for layer, own in zip(network.layers, parameters, strict=True):
        x, back = _forward(layer, x, own, training=True)
        ways_back.append(back)
    logits = x.reshape(len(labels), network.classes)
    smoothing, weights = step_config.label_smoothing, step_config.class_weights
    loss, dlogits = reference.softmax_cross_entropy(logits, labels, label_smoothing=smoothing, class_weights=weights)
    gradient = np.zeros_like(theta)
    into, dy = network.parameters(gradient), dlogits.reshape(x.shape)
    for position in reversed(range(len(network.layers))):
        dy, gradients = ways_back[position](dy)
        for name, value in gradients.items():
            into[position][name][...] = value
    return loss, gradient


def _forward(layer: Layer, x: Doubles, own: Parameters, *, training: bool) -> tuple[Doubles, Callable[[Doubles], Any]]:
    """A layer's output, and the function from the output's gradient to those of the input and the parameters."""
    match layer:
        case Conv2D():
            window = {name: getattr(layer, name) for name in ("stride", "padding", "dilation", "groups")}
            y = reference.conv2d(x, own["weight"], own.get("bias"), **window)
            return y, lambda dy: _named(reference.conv2d_grad(dy, x, own["weight"], **window), own)
        case Dense():
            y = reference.dense(x, own["weight"], own.get("bias"))
            return y, lambda dy: _named(reference.dense_grad(dy, x, own["weight"]), own)
        case MaxPool2D():
            window = layer.window((x.shape[2], x.shape[3]))
            y, argmax = reference.max_pool2d(x, window.pop("window"), **window)
            return y, lambda dy: (reference.max_pool2d_grad(dy, argmax, x.shape), {})
        case AvgPool2D():
            window = layer.window((x.shape[2], x.shape[3]))
            size, window["count_include_pad"] = window.pop("window"), layer.count_include_pad
            y = reference.avg_pool2d(x, size, **window)
            return y, lambda dy: (reference.avg_pool2d_grad(dy, x.shape, size, **window), {})
        case AdaptiveAvgPool2D():
            y = reference.adaptive_avg_pool2d(x, layer.output_size)
            return y, lambda dy: (reference.adaptive_avg_pool2d_grad(dy, x.shape), {})
        case Normalize(means, deviations):
            y = reference.normalize(x, means, deviations)
            return y, lambda dy: (reference.normalize_grad(dy, deviations), {})
        case BatchNorm2D() | GroupNorm():
            return _norm(layer, x, own, training=training)
        case Block():
            return _block(layer, x, own, training=training)
        case Flatten():
            return x.reshape(len(x), -1), lambda dy: (dy.reshape(x.shape), {})
    function = _activation(layer)
    slope = (function(x + SMALL) - function(x - SMALL)) / (2 * SMALL)
    return function(x), lambda dy: (dy * slope, {})


def _norm(
    layer: BatchNorm2D | GroupNorm, x: Doubles, own: Parameters, *, training: bool
) -> tuple[Doubles, Callable[[Doubles], Any]]:
    weight, bias, epsilon = own["weight"], own["bias"], layer.epsilon
    if isinstance(layer, GroupNorm):
        y = reference.group_norm(x, weight, bias, layer.groups, epsilon=epsilon)
        return y, lambda dy: _named(reference.group_norm_grad(dy, x, weight, layer.groups, epsilon=epsilon), own)
    running = {name: own[name] for name in ("running_mean", "running_var")}
    if not training:
        return reference.batch_norm_inference(x, weight, bias, *running.values(), epsilon=epsilon), _no_way_back
    y, mean, variance = reference.batch_norm(x, weight, bias, epsilon=epsilon)
    numbers = x.size // x.shape[1]
    if numbers > 1:
        unbiased = variance * numbers / (numbers - 1)
        for name, value in (("running_mean", mean), ("running_var", unbiased)):
            running[name] = running[name] + layer.momentum * (value - running[name])

    def back(dy: Doubles) -> tuple[Doubles, Parameters]:
        dx, gradients = _named(reference.batch_norm_grad(dy, x, weight, epsilon=epsilon), own)
        return dx, {**gradients, **running}

    return y, back


def _block(block: Block, x: Doubles, own: Parameters, *, training: bool) -> tuple[Doubles, Callable[[Doubles], Any]]:
    outputs, ways_back = [], []
    for branch, layers in block.branches_by_name().items():
        y = x
        for name, layer in zip(names_of(layers), layers, strict=True):
            at = f"{branch}.{name}."
            inner = {key.removeprefix(at): value for key, value in own.items() if key.startswith(at)}
            y, back = _forward(layer, y, inner, training=training)
            ways_back.append((branch, at, back))
        outputs.append(y)

    def block_back(dy: Doubles) -> tuple[Doubles, Parameters]:
        names = block.branches_by_name()
        parts = dict(zip(names, block.split(dy, [y.shape for y in outputs]), strict=True))
        gradients: dict[str, Doubles] = {}
        for branch, at, back in reversed(ways_back):
            parts[branch], found = back(parts[branch])
            gradients |= {at + key: value for key, value in found.items()}
        return sum(parts.values()), gradients

    return block.join(outputs), block_back


def _no_way_back(dy: Doubles) -> Any:
    raise TypeError("a prediction has no way back")


def _named(gradients: tuple[Any, ...], own: Parameters) -> tuple[Doubles, Parameters]:
    dx, dw, db = gradients
    return dx, {"weight": dw, "bias": db} if "bias" in own else {"weight": dw}


def _activation(layer: Layer) -> Callable[[Doubles], Doubles]:
    match layer:
        case Sigmoid():
            return reference.sigmoid
        case Tanh():
            return reference.tanh
        case ReLU():
            return reference.relu
        case GELU():
            return reference.gelu
        case SiLU():
            return reference.silu
        case LeakyReLU(slope):
            return lambda x: reference.leaky_relu(x, slope)
    raise TypeError(f"no loops for {layer}")
