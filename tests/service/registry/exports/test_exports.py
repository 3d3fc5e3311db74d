import zipfile
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from ops import zoo
from ops.engines import build, choose
from ops.layers import AvgPool2D, Conv2D, Dense, Dropout, Flatten, LeakyReLU, MaxPool2D, Resize, Sigmoid, Tanh
from ops.network import Network
from ops.step_config import StepConfig
from ops.testing.cases import BLOCKS
from service.errors import DataError, InvalidInput
from service.registry.exports.formats import export
from service.registry.exports.onnx import onnx_model, scale_to
from service.registry.exports.weights import as_tensors, from_tensors, read_weights
from tests.service.models import draft, publish

ODD = Network(
    "odd",
    (3, 17, 13),
    (
        Resize((20, 18)),
        Conv2D(6, (3, 5), stride=(2, 1), padding=(1, 2), groups=3, bias=False),
        Tanh(),
        MaxPool2D(3, stride=2, padding=1),
        Conv2D(4, 3, dilation=2, padding=2),
        LeakyReLU(0.2),
        AvgPool2D((2, 3), padding=(1, 1)),
        Dropout(0.5),
        Flatten(),
        Dense(7),
        Sigmoid(),
        Dense(5, bias=False),
    ),
)


@pytest.mark.parametrize(
    "network",
    [zoo.network("lenet", (1, 28, 28), 10), zoo.network("lenet-relu", (1, 28, 28), 10), ODD, *BLOCKS.values()],
    ids=lambda network: network.name,
)
def test_onnxruntime_computes_the_same_logits(network: Network) -> None:
    theta = network.init_parameters(5)
    theta += np.random.default_rng(6).uniform(0, 0.1, theta.shape).astype(np.float32)  # running means that aren't zero
    images = np.random.default_rng(1).integers(0, 256, (9, *network.input_shape), dtype=np.uint8)
    step_config = StepConfig()
    ours = build(choose(network, step_config, device="cpu", engine="array"), network, step_config).predict(
        theta, images
    )
    session = onnxruntime.InferenceSession(onnx_model(network, theta), providers=["CPUExecutionProvider"])
    (theirs,) = session.run(["logits"], {"pixels": images.astype(np.float32) / np.float32(255)})
    # Sums of a few hundred float32 products, in another order.
    np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=2e-5)


@pytest.mark.peers
def test_pytorch_loads_the_weights_by_name_and_computes_the_same_logits(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    from safetensors.torch import load_file

    nn = torch.nn
    module = nn.Sequential()
    for name, layer in {
        "conv2d1": nn.Conv2d(1, 6, 5, padding=2), "sigmoid1": nn.Sigmoid(), "avgpool2d1": nn.AvgPool2d(2),
        "conv2d2": nn.Conv2d(6, 16, 5), "sigmoid2": nn.Sigmoid(), "avgpool2d2": nn.AvgPool2d(2),
        "flatten1": nn.Flatten(),
        "dense1": nn.Linear(400, 120), "sigmoid3": nn.Sigmoid(), "dense2": nn.Linear(120, 84), "sigmoid4": nn.Sigmoid(),
        "dense3": nn.Linear(84, 10),
    }.items():  # fmt: skip
        module.add_module(name, layer)
    model = publish(tmp_path)
    path = export(model, "torch", tmp_path / "lenet.safetensors")
    module.load_state_dict(load_file(path))
    images = np.random.default_rng(2).integers(0, 256, (32, 28, 28), dtype=np.uint8)
    with torch.no_grad():
        theirs = module(torch.from_numpy(images[:, None].astype(np.float32) / np.float32(255))).numpy()
    network, step_config = model.build_network(), StepConfig()
    ours = build(choose(network, step_config, device="cpu"), network, step_config).predict(model.parameters(), images)
    # Sums of at most 400 float32 products, and a rational sigmoid in the fast engine.
    np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=2e-5)


def test_weights_of_a_state_dict_with_other_names_are_taken_in_the_order_of_layers() -> None:
    made = draft()
    ours = as_tensors(made.network, made.theta)
    numbers = (0, 3, 7, 9, 11)
    theirs = {
        f"net.{number}.{key}": ours[f"{layer}.{key}"]
        for number, layer in zip(numbers, ("conv2d1", "conv2d2", "dense1", "dense2", "dense3"), strict=True)
        for key in ("bias", "weight")
    }
    assert np.array_equal(from_tensors(made.network, theirs), made.theta)
    named = {k.replace("dense", "fc").replace("conv2d", "conv"): v for k, v in ours.items()}
    assert np.array_equal(from_tensors(made.network, named), made.theta)


def test_buffers_of_a_state_dict_with_other_names_are_found_behind_their_layers_parameters() -> None:
    network = BLOCKS["batch norm first"]
    theta = np.arange(network.size, dtype=np.float32)
    ours = as_tensors(network, theta)
    theirs: dict[str, np.ndarray] = {
        f"net.{number}.{key}": ours[f"{layer}.{key}"]
        for number, layer in ((0, "batchnorm2d1"), (2, "conv2d1"), (9, "dense1"))
        for key in ("running_var", "weight", "running_mean", "bias")
        if f"{layer}.{key}" in ours
    }
    theirs["net.0.num_batches_tracked"] = np.array(7)
    assert np.array_equal(from_tensors(network, theirs), theta)
    assert np.array_equal(from_tensors(network, ours), theta)


def test_weights_of_another_network_are_refused() -> None:
    made = draft()
    tensors = as_tensors(made.network, made.theta)
    with pytest.raises(InvalidInput, match=r"10 tensors \(dense3\.bias\), got 9"):
        from_tensors(made.network, dict(list(tensors.items())[:-1]))
    with pytest.raises(InvalidInput, match=r"conv2d1\.weight .* has shape"):
        from_tensors(made.network, {**tensors, "conv2d1.weight": tensors["conv2d1.weight"][:, :, :3, :3]})
    with pytest.raises(InvalidInput, match="finite"):
        from_tensors(made.network, {**tensors, "dense3.bias": np.full(10, np.nan, np.float32)})


def test_a_file_that_isnt_safetensors_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "weights.pt"
    path.write_bytes(b"\x80\x04cposix\nsystem\n")
    with pytest.raises(DataError, match="not a safetensors file"):
        read_weights(path)


def test_the_archive_holds_every_file_and_is_the_same_every_time(tmp_path: Path) -> None:
    model = publish(tmp_path / "models")
    first, second = (export(model, "zip", tmp_path / name).read_bytes() for name in ("a.zip", "b.zip"))
    assert first == second
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        assert archive.testzip() is None
        assert {Path(name).name for name in archive.namelist()} == set(model.files)


def test_a_form_that_isnt_known_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="onnx, safetensors, torch, zip"):
        export(publish(tmp_path), "pickle")


@pytest.mark.parametrize("size", [28, 32, 46, 224])
def test_onnx_makes_as_many_rows_as_are_asked_for(size: int) -> None:
    for wanted in range(1, 300):
        scale = scale_to(wanted, size)
        assert scale.dtype == np.float32
        assert int(np.floor(scale * np.float32(size))) == int(np.floor(float(scale) * size)) == wanted
        assert float(scale) == pytest.approx(wanted / size, rel=1e-6)


@pytest.mark.parametrize("wanted", [31, 62, 117, 227])
def test_onnxruntime_resizes_to_any_size(wanted: int) -> None:
    network = Network("resized", (1, 28, 28), (Resize(wanted), AvgPool2D(global_pool=True), Flatten(), Dense(3)))
    theta = network.init_parameters(1)
    images = np.random.default_rng(1).integers(0, 256, (3, 1, 28, 28), dtype=np.uint8)
    config = StepConfig()
    ours = build(choose(network, config, device="cpu", engine="array"), network, config).predict(theta, images)
    session = onnxruntime.InferenceSession(onnx_model(network, theta), providers=["CPUExecutionProvider"])
    (theirs,) = session.run(["logits"], {"pixels": images.astype(np.float32) / np.float32(255)})
    np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=2e-5)
