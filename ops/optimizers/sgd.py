"""Stochastic gradient descent, with momentum if wanted."""

from ops.arrays import Array
from ops.step_config import StepConfig
from ops.vectors import on_vectors


def sgd_update(theta: Array, velocity: Array, gradient: Array, rate: float, step_config: StepConfig) -> None:
    """One step of the rule in `ops.step_config.StepConfig`, in place.

    Args:
        theta: (parameters,), of any dtype.
        velocity: (parameters,), of the same dtype; left as it is where momentum is 0.
        gradient: (parameters,), of the same dtype; it may be overwritten.
        rate: The learning rate.
        step_config: The rule.
    """
    if on_vectors(theta, velocity, gradient):
        from ops.backends.cpu import elementwise  # it imports LLVM

        numbers = step_config.weight_decay, step_config.momentum, rate
        elementwise.sgd_update(theta, velocity, gradient, numbers, step_config.nesterov)
        return
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
