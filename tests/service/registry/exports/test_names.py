"""Weights from elsewhere, by name or by the order in which layers run, whatever wrappers did to their names."""

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from ops.network import Network
from service.errors import InvalidInput
from service.networks import Description
from service.networks.building import build
from service.registry.exports.names import KEYS, running_orders
from service.registry.exports.weights import as_tensors, from_tensors, read_weights

RESIDUAL = """
name = "small-resnet"
initializer = "he"
layers = [
  { conv2d = { channels = 4, kernel_size = 3, padding = 1, bias = false } }, "batchnorm2d", "relu",
  { residual = { body = [
    { conv2d = { channels = 4, kernel_size = 3, padding = 1, bias = false } }, "batchnorm2d", "relu",
    { conv2d = { channels = 4, kernel_size = 3, padding = 1, bias = false } }, "batchnorm2d",
  ] } }, "relu",
  { residual = { body = [
    { conv2d = { channels = 8, kernel_size = 3, padding = 1, stride = 2, bias = false } }, "batchnorm2d", "relu",
    { conv2d = { channels = 8, kernel_size = 3, padding = 1, bias = false } }, "batchnorm2d",
  ], shortcut = [ { conv2d = { channels = 8, kernel_size = 1, stride = 2, bias = false } }, "batchnorm2d" ] } }, "relu",
  { avgpool2d = { global_pool = true } }, "flatten", { dense = { units = "classes" } },
]
"""

NORM = [f"bn.{key}" for key in KEYS]


def torchvision_names() -> list[str]:
    """The names of such a network in torchvision's style, in the order in which it runs."""
    names = ["conv1.weight", *(f"bn1.{key}" for key in KEYS)]
    for layer in (1, 2):
        for part in (1, 2):
            names += [f"layer{layer}.0.conv{part}.weight", *(f"layer{layer}.0.bn{part}.{key}" for key in KEYS)]
    names += ["layer2.0.downsample.0.weight", *(f"layer2.0.downsample.1.{key}" for key in KEYS)]
    return [*names, "fc.weight", "fc.bias"]


@pytest.fixture(scope="module")
def network() -> Network:
    return build(Description.parse(RESIDUAL), (1, 12, 12), 5)


@pytest.fixture(scope="module")
def theta(network: Network) -> np.ndarray:
    """Parameters and statistics that all differ."""
    return np.random.default_rng(3).uniform(0.1, 1, network.size).astype(np.float32)


PREFIXES = [
    "",
    "module.",
    "_orig_mod.",
    "module._orig_mod.",
    "_orig_mod.module.",
    "model.",
    "model.net.",
    "ema.module.",
]


@pytest.mark.parametrize("prefix", PREFIXES)
def test_our_names_are_found_behind_what_wrappers_put_before_them(network: Network, theta: np.ndarray, prefix: str):
    shuffled = dict(sorted(as_tensors(network, theta).items(), key=lambda item: item[0][::-1]))
    wrapped = {f"{prefix}{name}": tensor for name, tensor in shuffled.items()}
    assert np.array_equal(from_tensors(network, wrapped), theta)


def test_wrappers_within_a_network_are_taken_off_too(network: Network, theta: np.ndarray):
    wrapped = {
        name.replace("residual1.", "residual1._checkpoint_wrapped_module."): tensor
        for name, tensor in as_tensors(network, theta).items()
    }
    assert "residual1._checkpoint_wrapped_module.body.conv2d1.weight" in wrapped
    assert np.array_equal(from_tensors(network, wrapped), theta)


@pytest.mark.parametrize("prefix", PREFIXES)
def test_names_of_torchvisions_style_are_taken_in_the_order_in_which_layers_run(
    network: Network, theta: np.ndarray, prefix: str
):
    ours = as_tensors(network, theta)
    in_order = [
        name
        for layer in dict.fromkeys(name.rpartition(".")[0] for name in _running(network))
        for name in (f"{layer}.{key}" for key in KEYS)
        if name in ours
    ]
    assert len(in_order) == len(torchvision_names())
    theirs = {f"{prefix}{name}": ours[own] for name, own in zip(torchvision_names(), in_order, strict=True)}
    theirs[f"{prefix}bn1.num_batches_tracked"] = np.array(7)
    assert np.array_equal(from_tensors(network, dict(sorted(theirs.items()))), theta)


def _running(network: Network) -> list[str]:
    """Our parameters' names: of each block, its body before its shortcut."""
    return [piece.name for piece in sorted(network.table, key=lambda piece: piece.layer)]


def test_the_names_of_torchvisions_resnet_are_put_in_its_order():
    names = torchvision_names()
    assert names in list(running_orders(sorted(names)))


@pytest.mark.parametrize(("kind", "exact"), [("float16", 2**-11), ("float64", 0), ("bfloat16", 2**-8)])
def test_weights_of_other_precisions_are_taken(
    network: Network, theta: np.ndarray, tmp_path: Path, kind: str, exact: float
):
    import ml_dtypes  # noqa: F401 -- has NumPy know bfloat16

    save_file(
        {name: tensor.astype(kind) for name, tensor in as_tensors(network, theta).items()}, tmp_path / "w.safetensors"
    )
    found = from_tensors(network, read_weights(tmp_path / "w.safetensors"))
    assert found.dtype == np.float32
    # half a unit in the last place of such a number
    np.testing.assert_allclose(found, theta, rtol=exact, atol=0)


def test_what_cannot_be_taken_is_one_line(network: Network, theta: np.ndarray):
    tensors = as_tensors(network, theta)
    for wrong, message in (
        (
            {name: tensor for name, tensor in tensors.items() if name != "dense1.bias"},
            r"has 32 tensors \(dense1\.bias\), got 31 \(nothing that the other lacks\)",
        ),
        ({**tensors, "dense1.weight": tensors["dense1.weight"].T}, r"dense1\.weight of network .* has shape \(5, 8\)"),
        ({**tensors, "batchnorm2d1.running_var": np.full(4, np.inf)}, "must be finite numbers"),
        (
            {f"a.{number}": tensor for number, tensor in enumerate(reversed(tensors.values()))},
            "of the tensors have that",
        ),
    ):
        with pytest.raises(InvalidInput, match=message) as refusal:
            from_tensors(network, wrong)
        assert "\n" not in str(refusal.value)


@pytest.mark.peers
def test_the_weights_of_a_wrapped_module_of_pytorch_predict_the_same(network: Network):
    torch = pytest.importorskip("torch", reason="PyTorch is a peer to compare with")
    from ops.layers import Context
    from ops.passes import forward
    from service.bench.torch_module import module

    torch.manual_seed(2)
    peer = module(network)
    for buffer in peer.buffers():
        if buffer.is_floating_point():
            buffer.uniform_(0.5, 1.5)
    wrapped = torch.nn.DataParallel(peer)
    state = {name: tensor.numpy() for name, tensor in wrapped.state_dict().items()}
    theta = from_tensors(network, state)
    x = np.random.default_rng(4).uniform(0, 1, (6, 1, 12, 12)).astype(np.float32)
    ours, _ = forward(network, network.parameters(theta), x, Context())
    with torch.inference_mode():
        theirs = peer.eval()(torch.from_numpy(x)).numpy()
    # sums of some hundred float32 products, in another order
    np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5)
