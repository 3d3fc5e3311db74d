"""What the engine takes on, told from metadata alone."""

from ops.engines.cuda.calls import KINDS
from ops.engines.cuda.layout import MOST_SHARED, layout
from ops.engines.inputs import check_plain_steps
from ops.errors import Unsupported
from ops.network import Network
from ops.step_config import StepConfig

MOST_PARAMETERS = 2_000_000
"""Beyond it every block reading every weight costs more than a matrix product of the whole batch."""


def check(network: Network, step_config: StepConfig, shared: int = MOST_SHARED) -> None:
    """Whether the engine runs the network in such steps. Raises Unsupported with the reason; needs no GPU.

    shared: bytes of shared memory that a block may have on the GPU.
    """
    check_plain_steps("cuda", step_config)
    for layer, name in zip(network.layers, network.layer_names, strict=True):
        if type(layer) not in KINDS:
            raise Unsupported(f"engine 'cuda' has no kernels for {name} ({type(layer).__name__})")
    if not network.num_parameters:
        raise Unsupported(f"engine 'cuda' needs parameters to train, {network.name!r} has none")
    if network.num_parameters > MOST_PARAMETERS:
        raise Unsupported(
            f"engine 'cuda' is for networks of at most {MOST_PARAMETERS:,} parameters, "
            f"{network.name!r} has {network.num_parameters:,}"
        )
    needed, most = layout(network, shared).bytes, min(shared, MOST_SHARED)
    if needed > most:
        raise Unsupported(
            f"engine 'cuda' keeps an example's numbers in {most:,} bytes of shared memory, "
            f"{network.name!r} needs {needed:,}"
        )
