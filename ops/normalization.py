"""Normalisation of channels, over a batch or within an example, and its gradient.

With mean and variance over the m numbers of a set, x̂ = (x - mean) / sqrt(variance + epsilon) and y = w x̂ + b. A set
is a channel of all examples for `batch_norm` (Ioffe and Szegedy, Batch normalization, 2015), a group of channels of
one example for `group_norm` (Wu and He, Group normalization, 2018). The gradient of both, for sums over a set:

    dx̂ = dy w        dx = (dx̂ - sum(dx̂) / m - x̂ sum(dx̂ x̂) / m) / sqrt(variance + epsilon)

Arrays are float32 or float64, NumPy or CuPy, (n, c) or (n, c, ...). Sums are taken plane by plane, and the sums of
planes in float64.
"""

from math import prod

import numpy as np

from ops.arrays import Array, array_module
from ops.checks import check_filled, check_floats, check_like, check_shape
from ops.errors import GeometryError, ShapeError
from ops.geometry import count
from ops.vectors import on_vectors

EPSILON = 1e-5

SMALLEST_PLANE = 16
"""Numbers of a plane from which on there are kernels for it: a vector must fit."""


def batch_norm(x: Array, weight: Array, bias: Array, *, epsilon: float = EPSILON) -> tuple[Array, Array, Array]:
    """Normalise each channel over all examples and places.

    Args:
        x: (n, c, h, w) or (n, c), float32 or float64, with at least one example.
        weight: (c,), of the same dtype in the same place.
        bias: (c,), likewise.
        epsilon: Added to the variance.

    Raises:
        ShapeError: There are no examples, or the shapes don't fit.

    Returns:
        `(y, mean, variance)`, with shapes of x, (c,) and (c,). The variance is the mean of squares, not corrected.
    """
    planes = _planes(x, weight, bias)
    if not len(planes):
        raise ShapeError("x must have at least one example to take the statistics of, got none")
    if _has_kernels(planes):
        return _batch_norm_by_kernels(x, planes, weight, bias, epsilon)
    mean = _mean(planes)
    centred = planes - mean[:, None]
    variance = _mean(centred * centred)
    centred *= (weight / array_module(x).sqrt(variance + x.dtype.type(epsilon)))[:, None]
    centred += bias[:, None]
    return centred.reshape(x.shape), mean, variance


def batch_norm_grad(
    dy: Array, x: Array, weight: Array, mean: Array, variance: Array, *, epsilon: float = EPSILON
) -> tuple[Array, Array, Array]:
    """The gradients of `batch_norm`, which gave mean and variance.

    Args:
        dy: The gradient of the loss for y, of x's shape.
        x: As it was given to `batch_norm`; likewise weight and epsilon.

    Returns:
        `(dx, dweight, dbias)`, with shapes of x, (c,) and (c,).
    """
    planes = _planes(x, weight, mean, variance)
    check_like("dy", dy, "x", x)
    check_shape("dy", dy, x.shape)
    dplanes = dy.reshape(planes.shape)
    scale = 1 / array_module(x).sqrt(variance + x.dtype.type(epsilon))
    if _has_kernels(dplanes, planes):
        return _batch_norm_grad_by_kernels(x, dplanes, planes, weight, mean, scale)
    normal = (planes - mean[:, None]) * scale[:, None]
    dbias, dweight = _mean(dplanes), _mean(dplanes * normal)
    normal *= -dweight[:, None]
    normal += dplanes
    normal -= dbias[:, None]
    normal *= (weight * scale)[:, None]
    m = planes.shape[0] * planes.shape[2]
    return normal.reshape(x.shape), dweight * x.dtype.type(m), dbias * x.dtype.type(m)


def batch_norm_inference(
    x: Array, weight: Array, bias: Array, mean: Array, variance: Array, *, epsilon: float = EPSILON
) -> Array:
    """The same with a mean and a variance (c,) of the past, as when predicting; x may have no examples."""
    planes = _planes(x, weight, bias, mean, variance)
    scale = weight / array_module(x).sqrt(variance + x.dtype.type(epsilon))
    y = planes * scale[:, None]
    y += (bias - mean * scale)[:, None]
    return y.reshape(x.shape)


def batch_norm_inference_grad(
    dy: Array, x: Array, weight: Array, mean: Array, variance: Array, *, epsilon: float = EPSILON
) -> tuple[Array, Array, Array]:
    """The gradients of `batch_norm_inference`: `(dx, dweight, dbias)` with shapes of x, (c,) and (c,)."""
    planes = _planes(x, weight, mean, variance)
    check_like("dy", dy, "x", x)
    check_shape("dy", dy, x.shape)
    dplanes = dy.reshape(planes.shape)
    scale = 1 / array_module(x).sqrt(variance + x.dtype.type(epsilon))
    dweight = _sum(dplanes * (planes - mean[:, None])) * scale
    return (dplanes * (weight * scale)[:, None]).reshape(x.shape), dweight, _sum(dplanes)


def group_norm(x: Array, weight: Array, bias: Array, groups: int, *, epsilon: float = EPSILON) -> Array:
    """Normalise each example's channels, in groups of as many neighbours each.

    Args:
        x: (n, c, h, w) or (n, c), float32 or float64.
        weight: (c,), of the same dtype in the same place.
        bias: (c,), likewise.
        groups: How many there are; it divides the channels.
        epsilon: Added to the variance.

    Raises:
        GeometryError: `groups` doesn't divide the channels.
    """
    planes = _planes(x, weight, bias)
    y = _within_groups(planes, groups, epsilon)[0].reshape(planes.shape)
    y *= weight[:, None]
    y += bias[:, None]
    return y.reshape(x.shape)


def group_norm_grad(
    dy: Array, x: Array, weight: Array, groups: int, *, epsilon: float = EPSILON
) -> tuple[Array, Array, Array]:
    """The gradients of `group_norm`: `(dx, dweight, dbias)` with shapes of x, (c,) and (c,)."""
    planes = _planes(x, weight)
    check_like("dy", dy, "x", x)
    check_shape("dy", dy, x.shape)
    dplanes = dy.reshape(planes.shape)
    normal, scale = _within_groups(planes, groups, epsilon)
    dweight = _sum(dplanes * normal.reshape(planes.shape))
    dx = (dplanes * weight[:, None]).reshape(normal.shape)
    normal *= (dx * normal).mean(axis=2, keepdims=True)
    dx -= dx.mean(axis=2, keepdims=True)
    dx -= normal
    dx *= scale
    return dx.reshape(x.shape), dweight, _sum(dplanes)


def _has_kernels(*planes: Array) -> bool:
    return planes[0].shape[2] >= SMALLEST_PLANE and on_vectors(*planes)


def _batch_norm_by_kernels(
    x: Array, planes: Array, weight: Array, bias: Array, epsilon: float
) -> tuple[Array, Array, Array]:
    """`batch_norm`, where the processor has kernels for it."""
    from ops.backends.cpu import normalization as kernels  # it imports LLVM

    numbers = planes.shape[0] * planes.shape[2]
    mean = _total(kernels.sums(planes), numbers)
    variance = _total(kernels.squares(planes, mean), numbers)
    scale = weight / np.sqrt(variance + x.dtype.type(epsilon))
    return kernels.normalised(planes, mean, scale, bias).reshape(x.shape), mean, variance


def _batch_norm_grad_by_kernels(
    x: Array, dplanes: Array, planes: Array, weight: Array, mean: Array, scale: Array
) -> tuple[Array, Array, Array]:
    """`batch_norm_grad`, where the processor has kernels for it."""
    from ops.backends.cpu import normalization as kernels  # it imports LLVM

    numbers = planes.shape[0] * planes.shape[2]
    dbias, dweight = (_total(each, numbers) for each in kernels.gradient_sums(dplanes, planes, mean, scale))
    dx = kernels.gradient(dplanes, planes, mean, scale, dweight, dbias, weight * scale)
    return dx.reshape(x.shape), dweight * x.dtype.type(numbers), dbias * x.dtype.type(numbers)


def _within_groups(planes: Array, groups: int, epsilon: float) -> tuple[Array, Array]:
    """`(x̂, 1 / sqrt(variance + epsilon))`, with shapes (n, groups, numbers) and (n, groups, 1)."""
    n, c, size = planes.shape
    if c % count("groups", groups):
        raise GeometryError(f"groups must divide the {c} channels, got {groups}")
    normal = planes.reshape(n, groups, c // groups * size)
    normal = normal - normal.mean(axis=2, keepdims=True)
    variance = (normal * normal).mean(axis=2, keepdims=True)
    scale = 1 / array_module(planes).sqrt(variance + planes.dtype.type(epsilon))
    normal *= scale
    return normal, scale


def _planes(x: Array, *of_channels: Array) -> Array:
    """x as (n, c, numbers), checked with vectors that have a number for each channel."""
    if hasattr(x, "ndim") and x.ndim < 2:
        raise ShapeError(f"x must have axes (n, c) or (n, c, h, w), got shape {tuple(x.shape)}")
    check_floats("x", x, ("n", "c", "h", "w")[: getattr(x, "ndim", 4)])
    check_filled("x", x)
    for vector in of_channels:
        check_like("weight, bias, mean and variance", vector, "x", x)
        check_shape("weight, bias, mean and variance", vector, x.shape[1:2])
    return x.reshape(x.shape[0], x.shape[1], prod(x.shape[2:]))


def _sum(planes: Array) -> Array:
    """The sum of each channel (c,) of planes (n, c, numbers)."""
    return planes.sum(axis=2).sum(axis=0, dtype="f8").astype(planes.dtype)


def _mean(planes: Array) -> Array:
    """The mean of each channel (c,) of planes (n, c, numbers)."""
    return _total(planes.sum(axis=2), planes.shape[0] * planes.shape[2])


def _total(of_planes: Array, numbers: int) -> Array:
    """The mean of so many numbers a channel (c,), of which each plane's sum is given (n, c)."""
    return (of_planes.sum(axis=0, dtype="f8") / numbers).astype(of_planes.dtype)
