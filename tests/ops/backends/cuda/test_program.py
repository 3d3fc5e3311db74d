"""A network's passes by stages, against the operators composed on the CPU."""

from dataclasses import replace

import numpy as np
import pytest

import ops
from ops import zoo
from ops.backends.cuda.block_stage import BlockStage
from ops.backends.cuda.program import Program
from ops.backends.cuda.stages import ComposedStage
from ops.engines.array import ArrayEngine
from ops.engines.base import Replica
from ops.engines.stages import StagesEngine
from ops.layers import Block, Context, Conv2D, Dense
from ops.passes import backward, forward
from tests.arrays import normal
from tests.ops.backends.cuda.host import HostDevice
from tests.ops.engines.test_array import IMAGES, LABELS, NETWORK, STEP_CONFIG, steps

NETWORKS = {
    "plain": ops.Network(
        "plain",
        (3, 9, 8),
        (
            ops.Conv2D(8, 3, padding=1),
            ops.ReLU(),
            ops.MaxPool2D(3, stride=2, padding=1),
            ops.Conv2D(12, 3, stride=2, padding=1),
            ops.Sigmoid(),
            ops.AvgPool2D(2, padding=1, count_include_pad=False),
            ops.Flatten(),
            ops.Dense(10),
            ops.ReLU(),
            ops.Dropout(0.4),
            ops.Dense(5),
        ),
    ),
    "odd": ops.Network(
        "odd",
        (2, 11, 10),
        (
            ops.Resize((13, 12)),
            ops.Conv2D(6, (3, 2), dilation=(2, 1), groups=2, bias=False),
            ops.ReLU(),
            ops.MaxPool2D(2, stride=3, ceil_mode=True),
            ops.Dropout(0.3),
            ops.Conv2D(4, 1),
            ops.LeakyReLU(0.2),
            ops.Resize(5),
            ops.AvgPool2D(3, stride=2, ceil_mode=True),
            ops.Tanh(),
            ops.Flatten(),
            ops.Dense(3, bias=False),
        ),
    ),
    "planes": ops.Network(
        "planes", (4, 6, 6), (ops.Conv2D(8, 3), ops.ReLU(), ops.Conv2D(2, 3, padding=1), ops.AvgPool2D(2))
    ),
    "strided": ops.Network(
        "strided",
        (3, 13, 12),
        (
            ops.AvgPool2D(1),
            ops.Conv2D(8, (5, 4), stride=(2, 3), padding=(1, 2)),
            ops.ReLU(),
            ops.Conv2D(4, (3, 2), padding=(2, 0), dilation=(1, 2)),
            ops.Flatten(),
            ops.Dense(3),
        ),
    ),
    "depthwise": ops.Network(
        "depthwise",
        (4, 9, 8),
        (
            ops.Conv2D(8, 3, padding=1, groups=4),
            ops.ReLU(),
            ops.Conv2D(8, 3, stride=2, groups=8, bias=False),
            ops.Conv2D(5, 1),
            ops.AdaptiveAvgPool2D((3, 2)),
            ops.Flatten(),
            ops.Dense(3),
        ),
    ),
    "blocks": ops.Network(
        "blocks",
        (3, 8, 8),
        (
            ops.Conv2D(8, 3, padding=1, bias=False),
            ops.BatchNorm2D(),
            ops.ReLU(),
            ops.Residual(
                body=(
                    ops.Conv2D(12, 3, stride=2, padding=1),
                    ops.ReLU(),
                    ops.Dropout(0.3),
                    ops.Residual(body=(ops.Conv2D(12, 3, padding=1, bias=False), ops.BatchNorm2D())),
                ),
                shortcut=(ops.Conv2D(12, 1, stride=2), ops.BatchNorm2D()),
            ),
            ops.ReLU(),
            ops.Concat(
                (
                    (),
                    (ops.Conv2D(4, 1), ops.ReLU(), ops.Conv2D(6, 3, padding=1)),
                    (ops.MaxPool2D(3, stride=1, padding=1), ops.Conv2D(3, 1)),
                )
            ),
            ops.AvgPool2D(global_pool=True),
            ops.Flatten(),
            ops.Concat(((ops.Dense(4),), (ops.Dense(3), ops.Tanh()))),
        ),
    ),
    "a block first": ops.Network(
        "a block first",
        (2, 6, 6),
        (
            ops.Residual(
                body=(ops.Sigmoid(), ops.Conv2D(4, 3, stride=2, padding=1)),
                shortcut=(ops.AvgPool2D(2), ops.Conv2D(4, 1)),
            ),
            ops.Concat(((ops.MaxPool2D(2),), (ops.MaxPool2D(2), ops.ReLU()))),
            ops.Flatten(),
            ops.Dense(3),
        ),
    ),
    "no learning": ops.Network("no learning", (1, 4, 4), (ops.AvgPool2D(2), ops.Flatten())),
}


def passes(network, device, seed=0):
    """Output and gradient by stages, and as the operators compose them."""
    n = 5
    theta = network.init_parameters(seed) + 0.1 * normal(np, seed + 1, (network.size,), np.float32)
    x = normal(np, seed + 2, (n, *network.input_shape), np.float32)
    dy = normal(np, seed + 3, (n, *network.shapes[-1]), np.float32)
    context = Context(training=True, seed=7, epoch=3, examples=np.array([4, 8, 3, 70_000, 0], np.int32))
    expected = np.empty_like(theta)
    y_expected, saved = forward(network, network.parameters(theta), x, context)
    backward(network, network.parameters(theta), dy, saved, into=network.parameters(expected))
    with device.on():
        program, parameters = Program(network, device), network.parameters(device.array(theta))
        found, there = device.array(np.full_like(theta, np.nan)), device.array(context.examples)
        y, saved = program.forward(parameters, device.array(x), replace(context, examples=there))
        program.backward(parameters, device.array(dy.reshape(n, -1)), saved, into=network.parameters(found))
        return (device.host(y), device.host(found)), (y_expected.reshape(n, -1), expected)


@pytest.mark.parametrize("name", NETWORKS)
def test_a_pass_by_stages_gives_what_the_operators_give(name):
    ours, theirs = passes(NETWORKS[name], HostDevice())
    for one, other in zip(ours, theirs, strict=True):
        # sums of some 200 products near 1, in another order
        np.testing.assert_allclose(one, other, rtol=0, atol=2e-5 * max(1, np.abs(other).max(initial=0)))


@pytest.mark.parametrize("name", ["plain", "odd", "strided", "blocks"])
def test_the_order_in_which_threads_run_changes_no_bit(name):
    (y, gradient), _ = passes(NETWORKS[name], HostDevice())
    for order in (1, 2):
        (again, gradient_again), _ = passes(NETWORKS[name], HostDevice(order=order))
        np.testing.assert_array_equal(again, y)
        np.testing.assert_array_equal(gradient_again, gradient)


def test_factors_rounded_to_tf32_are_off_by_a_thousandth():
    network = ops.Network("wide", (32, 6, 6), (ops.Conv2D(16, 3, padding=1), ops.Flatten(), ops.Dense(4)))
    (_, found), (_, expected) = passes(network, HostDevice(tf32=True))
    assert 1e-4 < np.linalg.norm(found - expected) / np.linalg.norm(expected) < 1e-2


def test_a_relu_shares_the_pass_of_the_layer_before_it():
    device = HostDevice()
    stages = Program(zoo.network("alexnet", (1, 224, 224), 10), device).stages
    kinds = [type(stage).__name__.removesuffix("Stage") for stage in stages]
    convolutions = ["BlockedConv", "MaxPool", "Conv", "MaxPool", "Conv", "Conv", "Conv", "MaxPool"]
    assert kinds == [*convolutions, "Flatten", "Dense", "Dropout", "Dense", "Dropout", "Dense"]
    assert [stage.relu for stage in stages if hasattr(stage, "relu")] == [True] * 7 + [False]


def test_convolutions_within_blocks_are_the_devices_in_every_network_of_the_zoo():
    device = HostDevice()
    passes(NETWORKS["blocks"], device)
    assert device.products.count("weights") == 7
    for name in zoo.ZOO:
        network = zoo.network(name, (3, 224, 224), 10)
        pending = list(Program(network, device).stages)
        while pending:
            stage = pending.pop()
            if isinstance(stage, BlockStage):
                pending += [inner for branch in stage.branches for inner in branch.stages]
            if isinstance(stage, ComposedStage):
                assert not isinstance(stage.layer, Conv2D | Dense | Block), name


def test_the_first_layer_that_learns_computes_no_gradient_for_its_input():
    device = HostDevice()
    passes(NETWORKS["odd"], device)
    # that of the second, of stride 1, is the convolution of dy with mirrored filters
    assert device.products == ["forward", "forward", "forward", "weights", "weights"]


BLOCKS = ops.Network(
    "blocks for small images",
    NETWORK.input_shape,
    (
        ops.Conv2D(4, 3, padding=1, bias=False),
        ops.BatchNorm2D(),
        ops.ReLU(),
        ops.Residual(body=(ops.Conv2D(4, 3, padding=1), ops.ReLU(), ops.Dropout(0.2))),
        ops.Flatten(),
        ops.Dense(NETWORK.classes),
    ),
)


@pytest.mark.parametrize("network", [NETWORK, BLOCKS], ids=lambda network: network.name)
def test_steps_by_stages_end_where_composed_ones_end(network):
    results = []
    for engine in (ArrayEngine(network, STEP_CONFIG), StagesEngine(network, STEP_CONFIG, HostDevice())):
        theta = network.init_parameters(3)
        start = Replica(theta, np.zeros(network.num_parameters, np.float32))
        result = engine.run(start, engine.load(IMAGES, LABELS), steps(16, 0, 8, 16))
        results.append((result, engine.predict(theta, IMAGES)))
    (composed, logits), (ours, ours_logits) = results
    # float32 sums in another order, over three steps of rate 0.2
    np.testing.assert_allclose(ours.replica.theta, composed.replica.theta, rtol=0, atol=1e-5)
    np.testing.assert_allclose(ours_logits, logits, rtol=0, atol=1e-5)
    assert ours.loss == pytest.approx(composed.loss, rel=1e-5)
    assert (ours.examples, ours.correct) == (composed.examples, composed.correct)
