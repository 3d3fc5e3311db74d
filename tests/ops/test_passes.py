"""Whole networks, forward and back, against finite differences in float64."""

from math import prod

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import ops
from ops.layers import Context
from ops.passes import backward, forward
from tests.arrays import check_gradient, normal

SMOOTH = (ops.Sigmoid(), ops.Tanh(), ops.Dropout(0.4))


@st.composite
def networks(draw: st.DrawFn) -> ops.Network:
    """A few spatial layers, then dense ones; all of them smooth, so that differences are exact enough."""
    spatial = (
        ops.Conv2D(draw(st.integers(1, 3)), draw(st.integers(1, 3)), padding=1, stride=draw(st.integers(1, 2))),
        ops.AvgPool2D(2, stride=1, padding=1, ceil_mode=draw(st.booleans()), count_include_pad=draw(st.booleans())),
        ops.Resize((4, 5)),
        *SMOOTH,
    )
    layers = [*draw(st.lists(st.sampled_from(spatial), max_size=5)), ops.Flatten(), ops.Dense(draw(st.integers(1, 4)))]
    layers += draw(st.lists(st.sampled_from(SMOOTH), max_size=2))
    return ops.Network("drawn", (2, 5, 6), (*layers, ops.Dense(3, bias=False)))


@given(network=networks(), seed=st.integers(0, 1000))
@settings(max_examples=40)
def test_the_gradient_of_a_drawn_network_agrees_with_finite_differences(network, seed):
    x, theta = normal(np, seed, (3, 2, 5, 6)), normal(np, seed + 1, (network.num_parameters,))
    labels = np.array([2, 0, 1])
    context = Context(training=True, seed=seed, epoch=1, examples=np.array([4, 8, 3]))

    def loss(theta: np.ndarray) -> tuple[float, np.ndarray, list]:
        y, saved = forward(network, network.parameters(theta), x, context)
        return *ops.softmax_cross_entropy(y, labels), saved

    _, dy, saved = loss(theta)
    gradient = np.full_like(theta, np.nan)
    backward(network, network.parameters(theta), dy, saved, into=network.parameters(gradient))
    check_gradient(lambda theta: loss(theta)[0], theta, gradient, seed, tolerance=1e-5)


@pytest.mark.parametrize(
    "layer",
    [
        ops.Conv2D(3, (3, 2), stride=(1, 2), padding=1, dilation=(2, 1), groups=3, bias=False),
        ops.Conv2D(2, 2),
        ops.MaxPool2D((2, 3), stride=2, padding=(1, 0), ceil_mode=True),
        ops.MaxPool2D(global_pool=True),
        ops.AvgPool2D(3, stride=2, padding=1, ceil_mode=True, count_include_pad=False),
        ops.AvgPool2D(global_pool=True),
        ops.AdaptiveAvgPool2D((4, 9)),
        ops.AdaptiveAvgPool2D(1),
        ops.Resize((3, 9)),
        ops.Flatten(),
        ops.Sigmoid(),
        ops.Tanh(),
        ops.ReLU(),
        ops.LeakyReLU(0.2),
        ops.Dropout(0.5),
        ops.GELU(),
        ops.SiLU(),
        ops.Normalize((1, 2, 3), (0.5, 1, 2)),
    ],
    ids=str,
)
def test_each_layers_input_gradient_agrees_with_finite_differences(layer):
    x = normal(np, 1, (2, 3, 6, 7))
    parameters = {name: normal(np, 2, shape) for name, shape in layer.parameter_shapes((3, 6, 7)).items()}
    context = Context(training=True, seed=1, examples=np.arange(2))
    y, saved = layer.forward(x, parameters, context)
    assert y.shape == (2, *layer.output_shape((3, 6, 7)))
    dy = normal(np, 3, y.shape)
    dx, gradients = layer.backward(dy, saved, parameters)
    assert {name: g.shape for name, g in gradients.items()} == layer.parameter_shapes((3, 6, 7))
    check_gradient(lambda x: (dy * layer.forward(x, parameters, context)[0]).sum(), x, dx, 4)
    assert layer.backward(dy, saved, parameters, input_gradient=False)[0] is None


def test_nothing_is_computed_below_the_first_layer_that_learns(monkeypatch):
    network = ops.Network("n", (1, 4, 4), (ops.Resize(6), ops.Conv2D(2, 3), ops.Flatten(), ops.Dense(2)))
    asked = []
    real = ops.Conv2D.backward

    def watched(self, *arguments, input_gradient=True):
        asked.append(input_gradient)
        return real(self, *arguments, input_gradient=input_gradient)

    def never(*arguments, **keywords):
        raise AssertionError("the resizing has nothing to learn from")

    monkeypatch.setattr(ops.Conv2D, "backward", watched)
    monkeypatch.setattr(ops.Resize, "backward", never)
    theta = normal(np, 1, (network.num_parameters,))
    y, saved = forward(network, network.parameters(theta), normal(np, 2, (3, 1, 4, 4)), Context())
    backward(network, network.parameters(theta), y, saved, into=network.parameters(np.empty_like(theta)))
    assert asked == [False]


def test_two_dropouts_of_one_network_drop_different_elements():
    network = ops.Network("n", (50,), (ops.Dropout(0.5), ops.Dropout(0.5)))
    context = Context(training=True, seed=1, examples=np.arange(2))
    _, masks = forward(network, network.parameters(np.empty(0)), np.ones((2, 50)), context)
    for position, mask in enumerate(masks):
        np.testing.assert_array_equal(mask, ops.dropout_mask(mask, 0.5, np.arange(2), 1, 0, position))
    assert (masks[0] != masks[1]).any()


def test_a_network_that_learns_nothing_goes_back_in_peace():
    network = ops.Network("n", (1, 4, 4), (ops.Flatten(), ops.Tanh()))
    x = normal(np, 2, (3, 1, 4, 4))
    y, saved = forward(network, network.parameters(np.empty(0)), x, Context())
    backward(network, network.parameters(np.empty(0)), y, saved, into=network.parameters(np.empty(0)))
    np.testing.assert_array_equal(y, np.tanh(x).reshape(3, prod((1, 4, 4))))
