"""Lion: steps of one length, in the direction of a sign (Chen et al., Symbolic discovery of optimization, 2023)."""

from ops.arrays import Array, array_module
from ops.step_config import StepConfig


def lion_update(theta: Array, velocity: Array, gradient: Array, rate: float, step_config: StepConfig) -> None:
    """One step in place: program 1 of the paper.

    With gradient g, rate r and decay w:

        theta <- theta - r w theta - r sign(beta1 m + (1 - beta1) g)
        m <- beta2 m + (1 - beta2) g

    Args:
        theta: (parameters,), of any dtype.
        velocity: (parameters,), of the same dtype: m.
        gradient: (parameters,), of the same dtype; it is overwritten.
        rate: The learning rate, a tenth to a third of what AdamW would take.
        step_config: Betas and decay.
    """
    beta1, beta2 = step_config.betas
    direction = beta1 * velocity
    direction += (1 - beta1) * gradient
    direction = array_module(theta).sign(direction)
    direction *= rate
    if step_config.weight_decay:
        theta *= 1 - rate * step_config.weight_decay
    theta -= direction
    velocity *= beta2
    gradient *= 1 - beta2
    velocity += gradient
