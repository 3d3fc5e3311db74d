"""A whole step: parameters by the configured rule, buffers to their next values."""

from ops.arrays import Array
from ops.network import Network
from ops.optimizers.adamw import adamw_update
from ops.optimizers.clipping import clip_gradient
from ops.optimizers.lion import lion_update
from ops.optimizers.sgd import sgd_update
from ops.step_config import StepConfig

RULES = {"sgd": sgd_update, "adamw": adamw_update, "lion": lion_update}
"""The rules by their names in `StepConfig.optimizer`."""


def take_step(
    network: Network, theta: Array, velocity: Array, gradient: Array, rate: float, step_config: StepConfig
) -> None:
    """One step in place: the parameters by the rule, the buffers to the values that `ops.passes.backward` gave them.

    Args:
        network: Tells where the parameters end.
        theta: (size,), of any dtype.
        velocity: (`step_config.state_size(num_parameters)`,), of the same dtype.
        gradient: (size,), of the same dtype; it is overwritten.
        rate: The learning rate.
        step_config: The rule.
    """
    trained = network.num_parameters
    theta[trained:] = gradient[trained:]
    clip_gradient(gradient[:trained], step_config.clip_norm)
    RULES[step_config.optimizer](theta[:trained], velocity, gradient[:trained], rate, step_config)
