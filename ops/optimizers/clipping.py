"""Gradients that are cut to a length (Pascanu, Mikolov and Bengio, 2013)."""

from ops.arrays import Array, array_module

EPSILON = 1e-6
"""Added to the length, as PyTorch does, so that no gradient is divided by zero."""


def clip_gradient(gradient: Array, longest: float) -> None:
    """Scale a gradient (parameters,) in place so that its Euclidean length is at most `longest`; 0 leaves it alone.

    The length is that of all parameters together, taken in float64. A gradient that is no number stays none.
    """
    if not longest:
        return
    xp = array_module(gradient)
    length = xp.sqrt((gradient * gradient).sum(dtype=xp.float64))
    gradient *= xp.minimum(1.0, longest / (length + EPSILON)).astype(gradient.dtype)
