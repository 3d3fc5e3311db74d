"""A network of one's own through the command line, killed and continued after its file was deleted."""

import json
import signal
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from service.data import ingest
from service.home import Home
from tests.commands import atelier, start
from tests.data import blobs, write_idx_dataset
from tests.e2e.test_command_line import wait_for_rounds
from tests.jobs import blobs_store
from tests.service.training.test_own_networks import NETWORKS

MINE = """
name = "mine"
initializer = "he"
layers = [
  { conv2d = { channels = 4, kernel_size = 3, padding = 1 } }, "relu", { maxpool2d = { size = 2 } },
  "flatten", { dense = { units = 32 } }, "relu", { dense = { units = "classes" } },
]
"""
TRAIN = ("--dataset", "blobs", "--batch-size", "32", "--lr", "0.2", "--average-every", "2", "--epochs", "4")


@pytest.fixture(scope="module")
def own_home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    folder = tmp_path_factory.mktemp("own-network")
    home = Home(folder / "home")
    blobs_store(home, folder / "idx", train=600)
    write_idx_dataset(folder / "larger", train=600, test=60, shape=(28, 28), classes=5)
    ingest(home, dataset="larger", source=folder / "larger")
    return home


def killed_and_resumed(home: Home, file: Path, *words: str) -> tuple[str, str]:
    """A training that is killed, and resumed and verified without its network's file: the run, and its digest."""
    before = {path.name for path in home.runs.iterdir()}
    process = start(*words, home=home.root)
    run = wait_for_rounds(home, before, 3)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    file.unlink()
    resumed = atelier("runs", "resume", run, "--json", home=home.root)
    assert resumed.returncode == 0, resumed.stderr
    verified = atelier("runs", "verify", run, home=home.root)
    assert verified.returncode == 0, verified.stderr
    return run, json.loads(resumed.stdout)["digest"]


@pytest.mark.slow
def test_a_network_from_a_file_survives_a_kill_and_the_loss_of_the_file(own_home: Home, tmp_path: Path):
    file = tmp_path / "mine.toml"
    file.write_text(MINE)
    whole = atelier("train", "--model", str(file), *TRAIN, "--json", home=own_home.root)
    assert whole.returncode == 0, whole.stderr
    trained = json.loads(whole.stdout)
    assert (trained["model"], trained["version"]) == ("mine-blobs", 1)

    run, digest = killed_and_resumed(own_home, file, "train", "--model", str(file), *TRAIN)
    assert digest == trained["digest"]

    forked = atelier("train", "--fork", run, *TRAIN, "--seed", "1", "--json", home=own_home.root)
    assert forked.returncode == 0, forked.stderr
    assert json.loads(forked.stdout)["model"] == "mine-blobs"

    layers = json.loads(atelier("models", "show", "mine-blobs:1", "--layers", "--json", home=own_home.root).stdout)
    assert [row["name"] for row in layers["layers"]][:3] == ["conv2d1", "relu1", "maxpool2d1"]
    exported = atelier(
        "models", "export", "mine-blobs:1", "--to", "onnx", "--output", f"{tmp_path}/m.onnx", home=own_home.root
    )
    assert exported.returncode == 0, exported.stderr
    images, labels = blobs(200, shape=(12, 12), classes=5, seed=77)
    session = onnxruntime.InferenceSession(tmp_path / "m.onnx")
    (logits,) = session.run(["logits"], {"pixels": images[:, None].astype(np.float32) / np.float32(255)})
    assert np.mean(logits.argmax(axis=1) == labels) > 0.9


@pytest.mark.slow
@pytest.mark.parametrize("name", NETWORKS)
def test_a_killed_training_of_a_network_from_a_file_ends_in_the_bits_of_a_whole_one(
    own_home: Home, tmp_path: Path, name: str
):
    file = tmp_path / f"{name}.toml"
    file.write_text(NETWORKS[name])
    words = ("train", "--model", str(file), *TRAIN, "--dataset", "larger", "--lr", "0.05", "--workers", "2")
    whole = atelier(*words, "--json", home=own_home.root)
    assert whole.returncode == 0, whole.stderr

    _, digest = killed_and_resumed(own_home, file, *words)
    assert digest == json.loads(whole.stdout)["digest"]
