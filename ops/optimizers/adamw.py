"""AdamW: steps scaled by the gradient's moments, with the decay apart from them (Loshchilov and Hutter, 2019)."""

from ops.arrays import Array, array_module
from ops.step_config import StepConfig


def adamw_update(theta: Array, state: Array, gradient: Array, rate: float, step_config: StepConfig) -> None:
    """One step in place, as PyTorch's AdamW has it.

    With gradient g, rate r and decay w, in step t from 1:

        theta <- theta - r w theta
        m <- beta1 m + (1 - beta1) g
        v <- beta2 v + (1 - beta2) g²
        theta <- theta - r / (1 - beta1^t) * m / (sqrt(v / (1 - beta2^t)) + epsilon)

    Args:
        theta: (parameters,), of any dtype.
        state: (2 * parameters + 1,), of the same dtype: m, v and t. Averages of states are states: of shards that took
            different numbers of steps, t is the mean.
        gradient: (parameters,), of the same dtype; it is overwritten.
        rate: The learning rate.
        step_config: Betas, epsilon and decay.
    """
    xp, n = array_module(theta), theta.size
    first, second, taken = state[:n], state[n : 2 * n], state[2 * n :]
    beta1, beta2 = step_config.betas
    taken += 1
    if step_config.weight_decay:
        theta *= 1 - rate * step_config.weight_decay
    first *= beta1
    first += (1 - beta1) * gradient
    second *= beta2
    gradient *= gradient
    gradient *= 1 - beta2
    second += gradient
    steps = taken.astype(xp.float64)
    denominator = xp.sqrt(second, out=gradient)
    denominator *= (1 / xp.sqrt(1 - beta2**steps)).astype(theta.dtype)
    denominator += step_config.epsilon
    move = first / denominator
    move *= (rate / (1 - beta1**steps)).astype(theta.dtype)
    theta -= move
