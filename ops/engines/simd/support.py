"""What the engine takes on, told from metadata alone."""

from __future__ import annotations

from math import prod

from ops.engines.simd.host import host
from ops.errors import Unsupported
from ops.layers import AvgPool2D, Conv2D, Dense, Dropout, Flatten, LeakyReLU, MaxPool2D, ReLU, Resize, Sigmoid, Tanh
from ops.network import Network
from ops.step_config import StepConfig

KINDS = (AvgPool2D, Conv2D, Dense, Dropout, Flatten, LeakyReLU, MaxPool2D, ReLU, Resize, Sigmoid, Tanh)

MOST_PARAMETERS = 2_000_000
"""Beyond it weights outgrow the caches, and a matrix product of the whole batch reads them less often."""

MOST_NUMBERS = 1_000_000
"""What an example's activations may come to: a block of them has to stay within reach (64 MB, doubled by gradients)."""


def check(network: Network, step_config: StepConfig) -> None:
    """Whether the engine runs the network in such steps. Raises Unsupported with the reason; compiles nothing."""
    if not host().lanes:
        raise Unsupported("engine 'simd' needs a processor with AVX2 and FMA, AVX-512 or NEON")
    if step_config.precision != "float32":
        raise Unsupported(f"engine 'simd' computes in float32, not in {step_config.precision}")
    for layer, name in zip(network.layers, network.layer_names, strict=True):
        if not isinstance(layer, KINDS):
            raise Unsupported(f"engine 'simd' has no kernels for {name} ({type(layer).__name__})")
    if network.num_parameters > MOST_PARAMETERS:
        raise Unsupported(
            f"engine 'simd' is for networks of at most {MOST_PARAMETERS:,} parameters, "
            f"{network.name!r} has {network.num_parameters:,}: matrix products of whole batches suit it better"
        )
    numbers = sum(map(prod, network.shapes))
    if numbers > MOST_NUMBERS:
        raise Unsupported(
            f"engine 'simd' is for networks whose layers put out at most {MOST_NUMBERS:,} numbers an example, "
            f"{network.name!r} puts out {numbers:,}"
        )
