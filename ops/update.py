"""The rule by which stochastic gradient descent changes the parameters."""

from ops.arrays import Array
from ops.network import Network
from ops.step_config import StepConfig


def take_step(
    network: Network, theta: Array, velocity: Array, gradient: Array, rate: float, step_config: StepConfig
) -> None:
    """One step in place: the parameters by the rule, the buffers to the values that `ops.passes.backward` gave them.

    Args:
        network: Tells where the parameters end.
        theta: (size,), of any dtype.
        velocity: (num_parameters,), of the same dtype.
        gradient: (size,), of the same dtype; it is overwritten.
        rate: The learning rate.
        step_config: The rule.
    """
    trained = network.num_parameters
    theta[trained:] = gradient[trained:]
    sgd_update(theta[:trained], velocity, gradient[:trained], rate, step_config)


def sgd_update(theta: Array, velocity: Array, gradient: Array, rate: float, step_config: StepConfig) -> None:
    """One step of the rule in `ops.step_config.StepConfig`, in place.

    Args:
        theta: (parameters,), of any dtype.
        velocity: (parameters,), of the same dtype; left as it is where momentum is 0.
        gradient: (parameters,), of the same dtype; it is overwritten.
        rate: The learning rate.
        step_config: The rule.
    """
    if step_config.weight_decay:
        gradient += step_config.weight_decay * theta
    if not step_config.momentum:
        gradient *= rate
        theta -= gradient
        return
    velocity *= step_config.momentum
    velocity += gradient
    if step_config.nesterov:
        gradient += step_config.momentum * velocity
        gradient *= rate
        theta -= gradient
    else:
        theta -= rate * velocity
