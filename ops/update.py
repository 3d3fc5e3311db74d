"""The rule by which stochastic gradient descent changes the parameters."""

from ops.arrays import Array
from ops.recipe import Recipe


def sgd_update(theta: Array, velocity: Array, gradient: Array, rate: float, recipe: Recipe) -> None:
    """One step of the rule in `ops.recipe.Recipe`, in place.

    theta, velocity, gradient: (parameters,), of one dtype; `gradient` is used up. With momentum 0 the
    velocity is left as it is.
    """
    if recipe.weight_decay:
        gradient += recipe.weight_decay * theta
    if not recipe.momentum:
        gradient *= rate
        theta -= gradient
        return
    velocity *= recipe.momentum
    velocity += gradient
    if recipe.nesterov:
        gradient += recipe.momentum * velocity
        gradient *= rate
        theta -= gradient
    else:
        theta -= rate * velocity
