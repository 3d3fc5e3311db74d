"""The rule by which stochastic gradient descent changes the parameters."""

from ops.arrays import Array
from ops.step_config import StepConfig


def sgd_update(theta: Array, velocity: Array, gradient: Array, rate: float, step_config: StepConfig) -> None:
    """One step of the rule in `ops.step_config.StepConfig`, in place.

    theta, velocity, gradient: (parameters,), of one dtype; `gradient` is used up. With momentum 0 the
    velocity is left as it is.
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
