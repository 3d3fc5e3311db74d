"""Small networks that between them have every layer with every option, and data for them."""

import numpy as np
from numpy.typing import NDArray

import ops
from ops.engines.base import Floats, Replica, Steps
from ops.layers import Layer, Shape
from ops.network import Network
from ops.step_config import StepConfig


def _network(name: str, shape: Shape, *layers: Layer) -> Network:
    return Network(name, shape, (*layers, ops.Flatten(), ops.Dense(4)))


NETWORKS = {
    network.name: network
    for network in (
        Network(
            "dense", (1, 6, 7), (ops.Flatten(), ops.Dense(33), ops.Sigmoid(), ops.Dense(18), ops.Tanh(), ops.Dense(4))
        ),
        Network(
            "no biases", (1, 6, 6), (ops.Conv2D(3, 3, bias=False), ops.ReLU(), ops.Flatten(), ops.Dense(4, bias=False))
        ),
        Network("softmax regression", (2, 5, 5), (ops.Flatten(), ops.Dense(4))),
        Network("logits of an activation", (1, 5, 5), (ops.Flatten(), ops.Dense(4), ops.Tanh())),
        _network("plain", (1, 9, 9), ops.Conv2D(6, 5), ops.Sigmoid(), ops.AvgPool2D(2), ops.Conv2D(5, 2), ops.Tanh()),
        _network(
            "padded", (2, 8, 9), ops.Conv2D(5, 3, padding=(1, 2)), ops.LeakyReLU(0.1), ops.Conv2D(3, 5, padding=2)
        ),
        _network(
            "strided", (2, 11, 12), ops.Conv2D(4, 3, stride=2, padding=1), ops.ReLU(), ops.Conv2D(3, 3, stride=(2, 3))
        ),
        _network(
            "dilated",
            (1, 12, 11),
            ops.Conv2D(3, 3, dilation=2),
            ops.Tanh(),
            ops.Conv2D(2, 2, dilation=(3, 1), stride=2),
        ),
        _network("grouped", (4, 6, 6), ops.Conv2D(6, 3, groups=2, padding=1), ops.ReLU(), ops.Conv2D(6, 3, groups=6)),
        _network("pointwise", (3, 5, 5), ops.Conv2D(9, 1), ops.ReLU(), ops.Conv2D(7, 1, stride=2), ops.Sigmoid()),
        _network("wide filters", (1, 14, 14), ops.Conv2D(3, (3, 9), padding=(0, 4)), ops.ReLU(), ops.Conv2D(2, (9, 2))),
        _network("max pools", (1, 11, 11), ops.Conv2D(3, 3), ops.ReLU(), ops.MaxPool2D(3, stride=2), ops.MaxPool2D(2)),
        _network(
            "hanging max pools",
            (1, 12, 9),
            ops.Conv2D(3, 3),
            ops.MaxPool2D(3, stride=2, padding=1, ceil_mode=True),
            ops.Tanh(),
        ),
        _network("average pools", (1, 11, 11), ops.Conv2D(3, 3), ops.AvgPool2D(3, stride=2, padding=1), ops.Sigmoid()),
        _network(
            "hanging average pools",
            (2, 8, 9),
            ops.Conv2D(3, 3),
            ops.Sigmoid(),
            ops.AvgPool2D(2, padding=1, ceil_mode=True),
            ops.AvgPool2D(3, stride=2, padding=1, ceil_mode=True, count_include_pad=False),
        ),
        _network(
            "side by side pools",
            (1, 12, 12),
            *(ops.Conv2D(4, 5, padding=2), ops.Sigmoid(), ops.AvgPool2D(2)),
            *(ops.Conv2D(6, 3), ops.Sigmoid(), ops.MaxPool2D(2)),
        ),
        _network("global pools", (1, 8, 8), ops.Conv2D(5, 3), ops.ReLU(), ops.AvgPool2D(global_pool=True)),
        _network("global maximum", (1, 8, 8), ops.Conv2D(5, 3), ops.MaxPool2D(global_pool=True)),
        _network(
            "dropout",
            (1, 7, 7),
            ops.Conv2D(3, 3),
            ops.ReLU(),
            ops.Dropout(0.25),
            ops.Flatten(),
            ops.Dense(9),
            ops.Sigmoid(),
            ops.Dropout(0.5),
        ),
        _network("resized", (1, 9, 7), ops.Resize((12, 12)), ops.Conv2D(3, 3), ops.Tanh(), ops.Resize((5, 6))),
        _network("activations first", (1, 6, 6), ops.Tanh(), ops.Conv2D(3, 3), ops.Sigmoid(), ops.Tanh()),
    )
}

BLOCKS = {
    network.name: network
    for network in (
        _network("batch norm", (1, 7, 8), ops.Conv2D(4, 3, bias=False), ops.BatchNorm2D(), ops.ReLU()),
        Network(
            "batch norm of vectors",
            (1, 5, 5),
            (ops.Flatten(), ops.Dense(9), ops.BatchNorm2D(momentum=0.3), ops.Tanh(), ops.Dense(4)),
        ),
        _network("batch norm first", (2, 5, 6), ops.BatchNorm2D(), ops.Conv2D(3, 3), ops.Sigmoid()),
        _network(
            "curved",
            (2, 6, 6),
            *(ops.Normalize((0.5, 0.2), (0.3, 0.1)), ops.Conv2D(6, 3, groups=2), ops.GELU()),
            *(ops.Conv2D(6, 3, groups=6, padding=1, bias=False), ops.Conv2D(5, 1), ops.SiLU()),
            ops.AdaptiveAvgPool2D(1),
        ),
        Network(
            "normalized",
            (3, 6, 7),
            (
                *(ops.Normalize((0.5, 0.4, 0.3), (0.2, 0.3, 0.4)), ops.Conv2D(5, 3), ops.Tanh()),
                *(ops.Normalize((0.1,) * 5, (0.7, 0.8, 0.9, 1.1, 1.2)), ops.ReLU(), ops.Flatten(), ops.Dense(7)),
                *(ops.Normalize((0.1,) * 7, (0.5,) * 7), ops.Dense(4)),
            ),
        ),
        _network(
            "adaptive pools",
            (2, 8, 7),
            *(ops.AdaptiveAvgPool2D((5, 9)), ops.Conv2D(4, 2), ops.Tanh(), ops.AdaptiveAvgPool2D(3), ops.Sigmoid()),
        ),
        _network("group norm", (2, 7, 6), ops.Conv2D(6, 3), ops.GroupNorm(3), ops.ReLU(), ops.Conv2D(4, 2)),
        Network(
            "group norms",
            (2, 10, 10),
            (
                *(ops.GroupNorm(1), ops.Conv2D(4, 3, bias=False), ops.GroupNorm(4), ops.ReLU(), ops.MaxPool2D(2)),
                *(ops.Conv2D(6, 2), ops.ReLU(), ops.GroupNorm(2, epsilon=1e-3), ops.AvgPool2D(3)),
                *(ops.Flatten(), ops.Dense(15), ops.GroupNorm(3), ops.Sigmoid(), ops.Dense(4)),
            ),
        ),
        _network(
            "residual",
            (1, 9, 8),
            *(ops.Conv2D(4, 3, padding=1), ops.BatchNorm2D(), ops.ReLU()),
            ops.Residual((ops.Conv2D(4, 3, padding=1), ops.BatchNorm2D(), ops.Dropout(0.2))),
            ops.Residual(
                (ops.ReLU(), ops.Conv2D(6, 3, stride=2, padding=1), ops.BatchNorm2D()),
                (ops.Conv2D(6, 1, stride=2, bias=False),),
            ),
            *(ops.ReLU(), ops.AvgPool2D(global_pool=True)),
        ),
        _network(
            "nested blocks",
            (2, 6, 6),
            ops.Concat(((), (ops.Conv2D(3, 3, padding=1), ops.Tanh()), (ops.Residual((ops.Conv2D(2, 1),)),))),
            ops.Residual((ops.Concat(((ops.Conv2D(4, 3, padding=1),), (ops.GroupNorm(1), ops.Conv2D(3, 1)))),)),
            ops.AvgPool2D(3),
        ),
    )
}
"""Networks with norms and blocks, for engines that take them."""

STEP_CONFIGS = (
    StepConfig(),
    StepConfig(momentum=0.9, weight_decay=1e-2, label_smoothing=0.1, flip=True, shift=2),
    StepConfig(momentum=0.8, nesterov=True, shift=1),
    StepConfig(flip=True, weight_decay=1e-3),
)

EXAMPLES = 90


def step_config_of(network: Network) -> StepConfig:
    """A step configuration for a network: another for each of `NETWORKS`, such that all of them are used."""
    names = list(NETWORKS)
    return STEP_CONFIGS[names.index(network.name) % len(STEP_CONFIGS) if network.name in names else 1]


def pictures(network: Network, seed: int = 0) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Random images (90, *input_shape) and labels (90,) for a network."""
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 256, (EXAMPLES, *network.input_shape), dtype=np.uint8)
    return images, rng.integers(0, network.classes, EXAMPLES).astype(np.uint8)


def steps(*sizes: int, seed: int = 2**40 + 5, epoch: int = 3, rate: float = 0.1) -> Steps:
    """Steps of these sizes through random examples; the seed needs both halves of its key."""
    offsets = np.cumsum([0, *sizes]).astype(np.int32)
    examples = np.random.default_rng(7).integers(0, EXAMPLES, offsets[-1]).astype(np.int32)
    return Steps(examples, offsets, np.linspace(rate, rate / 2, len(sizes), dtype=np.float32), seed, epoch)


def replica(network: Network, seed: int = 3, step_config: StepConfig = STEP_CONFIGS[0]) -> Replica:
    """Fresh parameters with biases that aren't zero, and a velocity that isn't either, if it is that of SGD."""
    rng = np.random.default_rng(seed)
    noise = rng.normal(size=(2, network.size)).astype(np.float32)
    theta: Floats = network.init_parameters(seed) + noise[0] / 20
    if step_config.optimizer != "sgd":
        return Replica(theta, np.zeros(step_config.state_size(network.num_parameters), np.float32))
    velocity: Floats = noise[1, : network.num_parameters] / np.float32(100)
    return Replica(theta, velocity)
