"""Networks from files of people's own: everything works with them once the file is gone, on another machine too."""

import shutil
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
from numpy.typing import NDArray

from ops.engines import build, choose
from ops.engines.base import Floats
from ops.network import Network
from ops.step_config import StepConfig
from service.config import TrainConfig, from_preset
from service.data import describe, ingest, read
from service.errors import RunError
from service.files import canonical_json
from service.home import Home
from service.inference.predictor import Predictor
from service.networks import Description
from service.networks.sources import network_from
from service.registry import Registry
from service.registry.exports.formats import export
from service.rounds.serial_executor import SerialExecutor
from service.runs import RunFolder
from service.training.evaluate import evaluate_run
from service.training.history import final_checkpoint
from service.training.loop import advance
from service.training.publish import publish_run
from service.training.resume import recorded_job, resume_run
from service.training.start import create_run, start_run
from service.training.verify import verify_run
from service.training.warm_start import WarmStart
from tests.data import write_idx_dataset
from tests.jobs import small

TANH_LENET = """
# LeNet-5 as of 1998: tanh, and subsampling with a coefficient and a bias of each channel that are learned.
name = "tanh-lenet"
layers = [
  { conv2d = { channels = 6, kernel_size = 5, padding = 2 } }, "tanh",
  { avgpool2d = { size = 2 } }, { conv2d = { channels = 6, kernel_size = 1, groups = 6 } }, "tanh",
  { conv2d = { channels = 16, kernel_size = 5 } }, "tanh",
  { avgpool2d = { size = 2 } }, { conv2d = { channels = 16, kernel_size = 1, groups = 16 } }, "tanh",
  { conv2d = { channels = 120, kernel_size = 5 } }, "tanh",
  "flatten", { dense = { units = 84 } }, "tanh", { dense = { units = "classes" } },
]
"""

THREE_CONV = """
name = "three-conv"
initializer = "he"
layers = [
  "normalize",
  { conv2d = { channels = 4, kernel_size = 3, padding = 1, bias = false } }, "batchnorm2d", "relu",
  { maxpool2d = { size = 2 } },
  { conv2d = { channels = 8, kernel_size = 3, padding = 1, bias = false } }, "batchnorm2d", "relu",
  { maxpool2d = { size = 2 } },
  { conv2d = { channels = 12, kernel_size = 3, padding = 1, bias = false } }, "batchnorm2d", "relu",
  { avgpool2d = { global_pool = true } }, "flatten", { dense = { units = "classes" } },
]
"""
RESIDUAL = """
name = "my-resnet"
initializer = "he"
layers = [
  { conv2d = { channels = 4, kernel_size = 3, padding = 1, stride = 2, bias = false } }, "batchnorm2d", "relu",
  { residual = { body = [
    { conv2d = { channels = 8, kernel_size = 3, padding = 1, stride = 2, bias = false } }, "batchnorm2d", "relu",
    { conv2d = { channels = 8, kernel_size = 3, padding = 1, bias = false } }, "batchnorm2d",
  ], shortcut = [ { conv2d = { channels = 8, kernel_size = 1, stride = 2, bias = false } }, "batchnorm2d" ] } }, "relu",
  { residual = { body = [ { conv2d = { channels = 8, kernel_size = 3, padding = 1 } }, "batchnorm2d" ] } }, "relu",
  { avgpool2d = { global_pool = true } }, "flatten", { dense = { units = "classes" } },
]
"""

NETWORKS = {"tanh-lenet": TANH_LENET, "three-conv": THREE_CONV, "my-resnet": RESIDUAL}


@pytest.fixture
def pictures(home: Home, tmp_path: Path) -> Home:
    """A home with a data set of 28x28 images in 5 classes."""
    home.prepare()
    write_idx_dataset(tmp_path / "idx", train=160, test=40, classes=5)
    ingest(home, dataset="blobs", source=tmp_path / "idx")
    return home


def config_from(path: Path, **given: Any) -> TrainConfig:
    network = network_from(str(path), lambda: ((1, 28, 28), 5))
    assert isinstance(network, Description)
    return from_preset(small(model=network, **given))


@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_from_a_file_needs_nothing_but_what_the_run_and_the_model_keep(
    pictures: Home, tmp_path: Path, name: str
):
    file = tmp_path / "mine" / f"{name}.toml"
    file.parent.mkdir()
    file.write_text(NETWORKS[name])
    serial = SerialExecutor()
    whole = start_run(pictures, serial, "whole", config_from(file), lambda _: None)
    begun, job = create_run(pictures, serial, config_from(file), "stopped")
    rounds = advance(serial, begun, job)
    for _ in range(2):
        next(rounds)
    rounds.close()
    file.unlink()

    elsewhere = Home(tmp_path / "elsewhere")
    shutil.move(pictures.root, elsewhere.root)
    stopped = RunFolder.open(elsewhere.runs, "stopped")
    assert resume_run(elsewhere, serial, "stopped", lambda _: None).digest == whole.digest
    assert all(check.same for check in verify_run(stopped, recorded_job(elsewhere, stopped)))

    statistics = describe(elsewhere.store("blobs")).statistics
    numbers = {"normalize": {"means": list(statistics.means), "deviations": list(statistics.deviations)}}
    described = stopped.facts()["network"]["description"]["layers"]
    assert (numbers in described) == (name == "three-conv")

    published = publish_run(elsewhere, whole, evaluate_run(elsewhere, serial, "whole"))
    assert (published.model, published.version) == (f"{name}-blobs", 1)
    model = Registry(elsewhere.models).get(published.model)
    assert model.build_network() == job.network
    assert model.network["digest"] == stopped.facts()["network"]["digest"]

    predictor = Predictor(model)
    images, _ = read(elsewhere.store("blobs"), "test", describe(elsewhere.store("blobs")).digest)
    engine = build(choose(job.network, StepConfig(), engine="array", device="cpu"), job.network, StepConfig())
    ours = engine.predict(model.parameters(), images)
    session = onnxruntime.InferenceSession(export(model, "onnx", tmp_path / "model.onnx").read_bytes())
    (theirs,) = session.run(["logits"], {"pixels": images[:, None].astype(np.float32) / np.float32(255)})
    # Sums of a few hundred float32 products, in another order.
    np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=2e-5)
    guesses = [found[0].label for found in predictor.guesses(images, 1)]
    assert guesses == [model.class_names[best] for best in ours.argmax(axis=1)]
    _check_in_pytorch(export(model, "torch", tmp_path / "model.safetensors"), job.network, images, ours)


def _check_in_pytorch(weights: Path, network: Network, images: NDArray[np.uint8], ours: Floats) -> None:
    """PyTorch, where it is installed, loads the exported weights by name and predicts the same."""
    with suppress(ImportError):
        import torch
        from safetensors.torch import load_file

        from service.bench.torch_module import module

        peer = module(network)
        answer = peer.load_state_dict(load_file(weights), strict=False)
        assert not answer.unexpected_keys
        assert all(name.endswith("num_batches_tracked") for name in answer.missing_keys)
        with torch.inference_mode():
            theirs = peer.eval()(torch.from_numpy(images[:, None]).float() / 255).numpy()
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=2e-5)


def test_a_run_is_forked_with_the_network_that_it_keeps(pictures: Home, tmp_path: Path):
    (tmp_path / "mine.toml").write_text(TANH_LENET)
    serial = SerialExecutor()
    start_run(pictures, serial, "parent", config_from(tmp_path / "mine.toml", epochs=1), lambda _: None)
    kept = RunFolder.open(pictures.runs, "parent").config().model
    assert isinstance(kept, Description)
    again = from_preset(small(model=kept, epochs=1, seed=1))
    child = start_run(pictures, serial, "child", again, lambda _: None, WarmStart(fork="parent"))
    start = RunFolder.open(pictures.runs, "child").start()
    assert start is not None
    assert start.digest == final_checkpoint(RunFolder.open(pictures.runs, "parent")).state.digest != child.digest


def test_a_run_whose_network_is_another_one_by_now_is_not_continued(pictures: Home):
    serial = SerialExecutor()
    folder, _ = create_run(pictures, serial, from_preset(small()), "begun")
    facts = folder.facts()
    assert facts["config"]["model"] == "mlp"
    facts["network"]["digest"] = "0" * 64
    (folder.path / "config.json").write_text(canonical_json(facts))
    with pytest.raises(RunError, match="was begun with a network mlp that is another one by now"):
        resume_run(pictures, serial, "begun", lambda _: None)
    del facts["network"]  # as in runs of before
    (folder.path / "config.json").write_text(canonical_json(facts))
    whole = start_run(pictures, serial, "whole", from_preset(small()), lambda _: None)
    assert resume_run(pictures, serial, "begun", lambda _: None).digest == whole.digest
