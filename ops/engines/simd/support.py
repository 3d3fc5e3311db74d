"""Which networks the engine runs, decided from metadata alone."""

from __future__ import annotations

from math import prod

from ops.engines.inputs import check_plain_steps
from ops.engines.simd.cpu import cpu
from ops.engines.simd.kernels import find
from ops.errors import Unsupported
from ops.network import Network
from ops.step_config import StepConfig

MOST_PARAMETERS = 2_000_000
"""Larger weights outgrow the caches, and a matrix product of the whole batch reads them less often."""

MOST_NUMBERS = 1_000_000
"""How many activations an example may have: a block of them takes 64 MB, and gradients as much again."""


def check(network: Network, step_config: StepConfig) -> None:
    """Whether the engine runs the network in such steps. Raises Unsupported with the reason; compiles nothing."""
    if not cpu().lanes:
        raise Unsupported("engine 'simd' needs a processor with AVX2 and FMA, AVX-512 or NEON")
    check_plain_steps("simd", step_config)
    for layer, name in zip(network.layers, network.layer_names, strict=True):
        if find(layer) is None:
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
