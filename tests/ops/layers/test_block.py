"""Blocks: names, shapes, ways forward and back."""

import numpy as np
import pytest

import ops
from ops.layers import Context
from ops.layers.block import nested_position
from ops.passes import backward, forward
from ops.testing.cases import BLOCKS
from tests.arrays import check_gradient, normal

CONTEXT = Context(training=True, seed=3, epoch=1, examples=np.arange(4))


@pytest.mark.parametrize("name", list(BLOCKS))
def test_gradients_agree_with_finite_differences(name):
    network = BLOCKS[name]
    x, labels = normal(np, 1, (4, *network.input_shape)), np.array([0, 1, 2, 3])
    theta = network.init_parameters(0) + 0.1 * normal(np, 2, (network.size,))

    def loss(theta: np.ndarray) -> tuple[float, np.ndarray, list]:
        y, saved = forward(network, network.parameters(theta), x, CONTEXT)
        return *ops.softmax_cross_entropy(y, labels), saved

    _, dy, saved = loss(theta)
    gradient = np.full_like(theta, np.nan)
    backward(network, network.parameters(theta), dy, saved, into=network.parameters(gradient))
    assert np.isfinite(gradient).all()
    trained = network.num_parameters
    rest = theta[trained:]
    # where a ReLU bends within the difference, it is off by a little more
    check_gradient(
        lambda front: loss(np.concatenate([front, rest]))[0], theta[:trained], gradient[:trained], 4, tolerance=1e-4
    )


@pytest.mark.parametrize(
    "block", [layer for n in BLOCKS.values() for layer in n.layers if isinstance(layer, ops.layers.Block)]
)
def test_a_blocks_input_gradient_agrees_with_finite_differences(block):
    shape = (1, 9, 8) if isinstance(block, ops.Concat) else (4, 5, 6)
    shape = next((n.shapes[n.layers.index(block)] for n in BLOCKS.values() if block in n.layers), shape)
    x = normal(np, 1, (4, *shape))
    shapes = block.parameter_shapes(shape) | block.buffer_shapes(shape)
    parameters = {name: normal(np, 2, each) for name, each in shapes.items()}
    y, saved = block.forward(x, parameters, CONTEXT)
    assert y.shape == (4, *block.output_shape(shape))
    dy = normal(np, 3, y.shape)
    dx, gradients = block.backward(dy, saved, parameters)
    assert {name: gradient.shape for name, gradient in gradients.items()} == shapes
    check_gradient(lambda x: float((dy * block.forward(x, parameters, CONTEXT)[0]).sum()), x, dx, 4, tolerance=1e-4)
    without, same = block.backward(dy, saved, parameters, input_gradient=False)
    assert without is None
    for name, gradient in gradients.items():
        np.testing.assert_array_equal(same[name], gradient)


def test_parameters_have_dotted_names_and_buffers_come_last():
    network = BLOCKS["residual"]
    names = [piece.name for piece in network.table]
    assert names[:6] == [
        *("conv2d1.weight", "conv2d1.bias", "batchnorm2d1.weight", "batchnorm2d1.bias"),
        *("residual1.body.conv2d1.weight", "residual1.body.conv2d1.bias"),
    ]
    assert "residual2.shortcut.conv2d1.weight" in names
    assert "concat1.branches.2.residual1.body.conv2d1.weight" in [piece.name for piece in BLOCKS["nested blocks"].table]
    kinds = [piece.buffer for piece in network.table]
    assert kinds == sorted(kinds)
    assert network.table[kinds.index(True)].start == network.num_parameters < network.size == network.table[-1].stop
    starts = [piece.start for piece in network.table]
    assert starts == [0, *(piece.stop for piece in network.table[:-1])]


def test_weights_of_norms_start_at_one_and_running_variances_too():
    network = BLOCKS["residual"]
    start = dict(network.named_parameters(network.init_parameters(1)))
    for name, value in start.items():
        if name.endswith(("batchnorm2d1.weight", "running_var")):
            assert (value == 1).all()
        elif name.endswith(("bias", "running_mean")):
            assert (value == 0).all()
        else:
            assert value.std() > 0


def test_input_channels_are_filled_in_within_blocks():
    block = ops.Network("n", (3, 4, 4), (ops.Concat(((), (ops.Conv2D(2, 1), ops.Conv2D(5, 1)))),)).layers[0]
    assert [layer.in_channels for layer in block.branches[1]] == [3, 2]
    assert "Conv2D(3 -> 2" in str(block)


def test_dropouts_within_blocks_drop_different_elements():
    block = ops.Concat(((ops.Dropout(0.5), ops.Dropout(0.5)), (ops.Dropout(0.5),)))
    network = ops.Network("n", (2, 8, 8), (block, block))
    x = np.ones((4, 2, 8, 8))
    _, saved = forward(network, network.parameters(np.empty(0)), x, CONTEXT)
    masks = [mask for kept, _ in saved for mask in kept]
    drawn = {mask[:, :2].tobytes() for mask in masks}
    assert len(drawn) == len(masks) == 6
    mask = ops.dropout_mask(x, 0.5, np.arange(4), 3, 1, nested_position(0, "branches.1.dropout1"))
    np.testing.assert_array_equal(masks[2], mask)


def test_the_receptive_field_is_that_of_the_widest_branch():
    narrow, wide = (ops.Conv2D(2, 1, stride=2),), (ops.Conv2D(2, 3, padding=1), ops.Conv2D(2, 5, stride=2, padding=2))
    assert ops.Concat((narrow, wide)).receptive_field((1, 9, 9)) == ((7, 7), (2, 2))
    assert ops.Concat(((ops.Flatten(), ops.Dense(3)), (ops.Flatten(),))).receptive_field((1, 9, 9)) is None


def test_products_of_all_branches_count():
    inner = ops.Conv2D(2, 3, padding=1)
    assert ops.Residual((inner,), (inner,)).flops((2, 5, 5)) == 2 * inner.flops((2, 5, 5)) > 0


def test_nothing_is_computed_below_the_first_layer_of_a_branch_that_learns(monkeypatch):
    def never(*arguments, **keywords):
        raise AssertionError("the tanh has nothing to learn from")

    monkeypatch.setattr(ops.Tanh, "slope", never)
    network = ops.Network(
        "n", (1, 4, 4), (ops.Concat(((ops.Tanh(), ops.Conv2D(2, 3)), (ops.Tanh(), ops.AvgPool2D(2)))),)
    )
    theta = normal(np, 1, (network.size,))
    y, saved = forward(network, network.parameters(theta), normal(np, 2, (3, 1, 4, 4)), Context())
    gradient = np.full_like(theta, np.nan)
    backward(network, network.parameters(theta), y, saved, into=network.parameters(gradient))
    assert np.isfinite(gradient).all()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ops.Residual(()), "Residual's body must have at least one layer"),
        (lambda: ops.Residual(ops.ReLU()), r"Residual's body must be a tuple of layers, got ReLU\(\)"),
        (lambda: ops.Residual((ops.ReLU(),), ("relu",)), "Residual's shortcut must be a tuple of layers, got 'relu'"),
        (lambda: ops.Concat(()), "Concat must have at least one branch"),
        (lambda: ops.Concat((ops.ReLU(),)), r"Concat's branch 0 must be a tuple of layers, got ReLU\(\)"),
    ],
)
def test_a_block_that_is_none_is_refused(make, message):
    with pytest.raises(ops.ShapeError, match=message):
        make()


@pytest.mark.parametrize(
    ("block", "message"),
    [
        (ops.Residual((ops.Conv2D(3, 3),)), r"one shape, got \(3, 3, 3\) and \(2, 5, 5\)"),
        (ops.Concat(((), (ops.Conv2D(3, 3),))), r"planes of one size, got \(2, 5, 5\), \(3, 3, 3\)"),
        (ops.Residual((ops.Conv2D(2, 9),)), "must fit in the padded input"),
    ],
)
def test_branches_that_do_not_fit_together_are_refused(block, message):
    with pytest.raises(ops.OpsError, match=message):
        ops.Network("n", (2, 5, 5), (block,))
