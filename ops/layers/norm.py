"""Normalisation layers."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

from ops.arrays import Array
from ops.checks import check_in
from ops.errors import GeometryError, RangeError, ShapeError
from ops.geometry import count
from ops.layers.base import Context, Layer, Shape, register
from ops.normalization import (
    EPSILON,
    batch_norm,
    batch_norm_grad,
    batch_norm_inference,
    batch_norm_inference_grad,
    group_norm,
    group_norm_grad,
)


@dataclass(frozen=True)
class _Norm(Layer):
    """What both kinds share: a weight that starts at one and a bias for each channel of (c, h, w) or (c,)."""

    def output_shape(self, input_shape: Shape) -> Shape:
        if len(input_shape) not in (1, 3):
            raise ShapeError(f"{type(self).__name__} needs an input of shape (c, h, w) or (units,), got {input_shape}")
        return input_shape

    def parameter_shapes(self, input_shape: Shape) -> dict[str, Shape]:
        return {"weight": input_shape[:1], "bias": input_shape[:1]}

    def initial_values(self) -> dict[str, float]:
        return {"weight": 1.0}


@register
@dataclass(frozen=True)
class BatchNorm2D(_Norm):
    """Each channel with mean 0 and variance 1 over a step's examples and places, then times a weight plus a bias.

    Predictions take the running mean and variance instead. After each step, as in PyTorch,

        running <- (1 - momentum) * running + momentum * that of the step

    where the variance is the unbiased one. A step with one number a channel, such as one example of (units,), has no
    variance: its output is the bias, and the running statistics stay as they are.

    Parameters: weight (c,), bias (c,). Buffers: running_mean (c,), running_var (c,).

    Attributes:
        momentum: The share of a step in the running statistics.
        epsilon: Added to the variance.
    """

    momentum: float = 0.1
    epsilon: float = EPSILON

    def __post_init__(self) -> None:
        _check_share("momentum", self.momentum)
        _check_epsilon(self.epsilon)

    def __str__(self) -> str:
        return f"BatchNorm2D(momentum={self.momentum}, epsilon={self.epsilon})"

    def buffer_shapes(self, input_shape: Shape) -> dict[str, Shape]:
        return {"running_mean": input_shape[:1], "running_var": input_shape[:1]}

    def initial_values(self) -> dict[str, float]:
        return {"weight": 1.0, "running_var": 1.0}

    def forward(self, x: Array, parameters: Mapping[str, Array], context: Context) -> tuple[Array, Any]:
        weight, bias = parameters["weight"], parameters["bias"]
        if not context.training:
            running = parameters["running_mean"], parameters["running_var"]
            return batch_norm_inference(x, weight, bias, *running, epsilon=self.epsilon), (x, running, False)
        y, mean, variance = batch_norm(x, weight, bias, epsilon=self.epsilon)
        return y, (x, (mean, variance), True)

    def backward(
        self, dy: Array, saved: Any, parameters: Mapping[str, Array], *, input_gradient: bool = True
    ) -> tuple[Array | None, dict[str, Array]]:
        x, (mean, variance), training = saved
        grad = batch_norm_grad if training else batch_norm_inference_grad
        dx, dweight, dbias = grad(dy, x, parameters["weight"], mean, variance, epsilon=self.epsilon)
        gradients = {"weight": dweight, "bias": dbias} | self._next(x, mean, variance, parameters, training)
        return dx if input_gradient else None, gradients

    def _next(
        self, x: Array, mean: Array, variance: Array, parameters: Mapping[str, Array], training: bool
    ) -> dict[str, Array]:
        """The running statistics after a step."""
        before = {name: parameters[name] for name in ("running_mean", "running_var")}
        numbers = x.shape[0] * prod(x.shape[2:])
        if not training or numbers == 1:
            return before
        of_step = {"running_mean": mean, "running_var": variance * mean.dtype.type(numbers / (numbers - 1))}
        share = mean.dtype.type(self.momentum)
        return {name: (1 - share) * before[name] + share * of_step[name] for name in before}


@register
@dataclass(frozen=True)
class GroupNorm(_Norm):
    """Each example's channels, in groups, with mean 0 and variance 1, then times a weight plus a bias.

    It knows nothing of other examples, so that shards and batch sizes don't change it.

    Parameters: weight (c,), bias (c,).

    Attributes:
        groups: How many groups of neighbouring channels there are; 1 takes all together (layer norm).
        epsilon: Added to the variance.
    """

    groups: int
    epsilon: float = EPSILON

    def __post_init__(self) -> None:
        count("groups", self.groups)
        _check_epsilon(self.epsilon)

    def __str__(self) -> str:
        return f"GroupNorm({self.groups}, epsilon={self.epsilon})"

    def output_shape(self, input_shape: Shape) -> Shape:
        shape = super().output_shape(input_shape)
        if shape[0] % self.groups:
            raise GeometryError(f"groups must divide the {shape[0]} channels, got {self.groups}")
        return shape

    def forward(self, x: Array, parameters: Mapping[str, Array], context: Context) -> tuple[Array, Any]:
        return group_norm(x, parameters["weight"], parameters["bias"], self.groups, epsilon=self.epsilon), x

    def backward(
        self, dy: Array, saved: Any, parameters: Mapping[str, Array], *, input_gradient: bool = True
    ) -> tuple[Array | None, dict[str, Array]]:
        dx, dweight, dbias = group_norm_grad(dy, saved, parameters["weight"], self.groups, epsilon=self.epsilon)
        return dx if input_gradient else None, {"weight": dweight, "bias": dbias}


def _check_share(name: str, value: float) -> None:
    if value != 1:
        check_in(name, value, 0, 1)


def _check_epsilon(epsilon: float) -> None:
    check_in("epsilon", epsilon, 0, 1)
    if not epsilon:
        raise RangeError("epsilon must be above 0, got 0: a channel of equal numbers would be divided by zero")
