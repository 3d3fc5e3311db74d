"""Networks as data: shapes, names, the flat vector, how parameters start."""

import numpy as np
import pytest

import ops
from ops.initializers import INITIALIZERS

LAYERS = (
    ops.Conv2D(4, (3, 2), groups=2, bias=False),
    ops.Tanh(),
    ops.Flatten(),
    ops.Dense(5),
    ops.Tanh(),
    ops.Dense(3),
)


@pytest.fixture
def network() -> ops.Network:
    return ops.Network("small", (2, 5, 4), LAYERS)


def test_the_table_tiles_the_flat_vector(network):
    assert [(piece.name, piece.shape) for piece in network.table] == [
        ("conv2d1.weight", (4, 1, 3, 2)),
        ("dense1.weight", (5, 36)),
        ("dense1.bias", (5,)),
        ("dense2.weight", (3, 5)),
        ("dense2.bias", (3,)),
    ]
    assert [piece.start for piece in network.table] == [0, 24, 204, 209, 224]
    assert network.table[-1].stop == network.num_parameters == 227


def test_parameters_are_views_into_the_vector(network):
    theta = np.arange(network.num_parameters, dtype=np.float32)
    named = dict(network.named_parameters(theta))
    named["dense1.bias"][...] = -1
    assert (theta[204:209] == -1).all()
    np.testing.assert_array_equal(np.concatenate([part.ravel() for part in named.values()]), theta)
    views = network.parameters(theta)
    assert [sorted(own) for own in views] == [["weight"], [], [], ["bias", "weight"], [], ["bias", "weight"]]


def test_a_network_prints_its_layers_with_their_input_channels(network):
    lines = str(network).splitlines()
    assert lines[0] == "small("
    assert lines[1] == "  (0): Conv2D(2 -> 4, kernel_size=(3, 2), stride=(1, 1), groups=2, bias=False)"
    assert lines[2] == "  (1): Tanh()"
    assert lines[-1] == ")"


def test_equal_descriptions_are_equal_networks(network):
    assert network == ops.Network("small", (2, 5, 4), LAYERS)
    assert network != ops.Network("small", (2, 5, 5), LAYERS)


def test_first_parameters_are_a_function_of_the_seed(network):
    np.testing.assert_array_equal(network.init_parameters(5), network.init_parameters(5))
    assert (network.init_parameters(5) != network.init_parameters(6)).any()
    assert not dict(network.named_parameters(network.init_parameters(5)))["dense1.bias"].any()


def test_xavier_fills_its_bound_evenly():
    weight = INITIALIZERS["xavier"](np.random.default_rng(0), (40, 20, 5, 3))
    bound = np.sqrt(6 / (20 * 15 + 40 * 15))
    assert 0.99 * bound < np.abs(weight).max() <= bound
    # 12,000 uniform numbers: the standard deviation is bound / sqrt(3), known to about half a percent
    np.testing.assert_allclose(weight.std(), bound / np.sqrt(3), rtol=0.03)


def test_he_has_its_standard_deviation():
    weight = INITIALIZERS["he"](np.random.default_rng(0), (200, 100))
    np.testing.assert_allclose(weight.std(), np.sqrt(2 / 100), rtol=0.03)  # 20,000 numbers: half a percent
    np.testing.assert_allclose(weight.mean(), 0, atol=0.005)


@pytest.mark.peers
@pytest.mark.parametrize("shape", [(6, 1, 5, 5), (120, 400)])
def test_fans_are_counted_as_pytorch_counts_them(shape):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    theirs = torch.nn.init.xavier_uniform_(torch.empty(4000, *shape[1:])).abs().max()
    ours = np.abs(INITIALIZERS["xavier"](np.random.default_rng(0), (4000, *shape[1:]))).max()
    np.testing.assert_allclose(ours, float(theirs), rtol=1e-3)  # both near the bound, with 100,000 draws


def test_zeros_start_every_unit_alike():
    network = ops.Network("zeros", (4,), (ops.Dense(3),), initializer="zeros")
    assert not network.init_parameters(1).any()
