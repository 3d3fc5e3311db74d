"""Layers that are written here, and nowhere else, train like any other."""

from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import pytest

import ops
from ops import layers
from ops.engines import choose
from ops.engines.array import ArrayEngine
from ops.layers.activation import Activation
from ops.passes import backward, forward
from ops.testing.engines import EngineContract


@layers.register
@dataclass(frozen=True)
class Softplus(Activation):
    """log(1 + exp(x)). Its slope is 1 - exp(-y), from y = log(1 + exp(x))."""

    def value(self, x):
        return np.log1p(np.exp(-abs(x))) + np.maximum(x, 0)

    def slope(self, dy, y):
        return dy * -np.expm1(-y)


@layers.register
@dataclass(frozen=True)
class Scale(ops.Layer):
    """Each channel times a number that is learned."""

    def parameter_shapes(self, input_shape):
        return {"factor": (input_shape[0], 1)}

    def forward(self, x, parameters, context):
        return x * parameters["factor"][:, :, None], x

    def backward(self, dy, saved, parameters, *, input_gradient=True):
        dx = dy * parameters["factor"][:, :, None] if input_gradient else None
        return dx, {"factor": (dy * saved).sum(axis=(0, 2, 3))[:, None]}


NETWORK = ops.Network(
    "toy",
    (1, 7, 7),
    (ops.Conv2D(3, 3), Scale(), Softplus(), ops.Dropout(0.2), ops.MaxPool2D(2), ops.Flatten(), ops.Dense(4)),
)


class TestArrayEngine(EngineContract):
    networks = MappingProxyType({"toy": NETWORK})
    network = NETWORK

    @classmethod
    def build(cls, network, step_config):
        return ArrayEngine(network, step_config)


def test_they_are_found_by_name():
    assert layers.find("softplus") is Softplus
    assert layers.Scale is Scale


def loss_and_gradient(theta, x, labels):
    parameters, context = NETWORK.parameters(theta), layers.Context()
    logits, saved = forward(NETWORK, parameters, x, context)
    loss, dlogits = ops.softmax_cross_entropy(logits, labels)
    gradient = np.empty_like(theta)
    backward(NETWORK, parameters, dlogits, saved, into=NETWORK.parameters(gradient))
    return loss, gradient


def test_their_gradients_are_those_of_differences():
    rng = np.random.default_rng(1)
    theta, x = NETWORK.init_parameters(0).astype(np.float64), rng.normal(size=(5, 1, 7, 7))
    labels = np.array([0, 1, 2, 3, 0])
    _, gradient = loss_and_gradient(theta, x, labels)
    for index in range(len(theta)):
        step = np.zeros_like(theta)
        step[index] = 1e-6
        up, down = (loss_and_gradient(theta + sign * step, x, labels)[0] for sign in (1, -1))
        # a loss around 1 is right to 1e-16, so its difference to 1e-10
        assert gradient[index] == pytest.approx((up - down) / 2e-6, abs=1e-8)


def test_engines_with_kernels_of_their_own_leave_them_to_the_array_engine():
    choice = choose(NETWORK, ops.StepConfig(), device="cpu")
    assert choice.engine == "array"
    assert "engine 'simd' has no kernels for scale1 (Scale)" in choice.why
