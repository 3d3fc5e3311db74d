"""The main job through the command line, as a person would run it: real processes, Prefect and Dask included."""

import json
import os
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import load_file

from service.home import Home
from service.runs import RunFolder
from tests.commands import atelier, start
from tests.data import blobs
from tests.jobs import blobs_store

EPOCHS = "12"
"""So many that a training that is to be killed isn't over before."""

TRAIN = (
    *("train", "--dataset", "blobs", "--model", "mlp", "--batch-size", "32", "--lr", "0.2"),
    *("--average-every", "2", "--device", "cpu"),
)


@pytest.fixture(scope="module")
def blobs_home(tmp_path_factory) -> Home:
    folder = tmp_path_factory.mktemp("command-line")
    home = Home(folder / "home")
    blobs_store(home, folder / "idx", train=600)
    return home


@pytest.fixture(scope="module")
def trained(blobs_home: Home) -> dict:
    done = atelier(*TRAIN, "--epochs", EPOCHS, "--json", home=blobs_home.root)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    assert "prefect" not in done.stderr.lower()
    assert done.stdout.count("\n") == 1
    return json.loads(done.stdout)


def test_train_reports_what_it_promises(trained: dict):
    promised = (
        "run model version digest train_loss train_accuracy test_accuracy examples_per_s wall_s workers shards engine"
    )
    assert set(trained) == set(promised.split())
    assert trained["test_accuracy"] > 0.9
    assert (trained["model"], trained["version"]) == ("mlp-blobs", 1)


def test_the_model_can_be_listed_shown_and_asked(blobs_home: Home, trained: dict, tmp_path: Path):
    listed = json.loads(atelier("models", "list", "--json", home=blobs_home.root).stdout)
    assert [(m["model"], m["version"], m["aliases"]) for m in listed] == [("mlp-blobs", 1, ["champion"])]
    shown = json.loads(atelier("models", "show", "mlp-blobs", "--json", home=blobs_home.root).stdout)
    assert shown["lineage"]["parameters"] == trained["digest"]
    images, labels = blobs(3, shape=(12, 12), classes=5, seed=77)
    right = 0
    for image, label in zip(images, labels, strict=True):
        Image.fromarray(image).save(tmp_path / "image.png")
        asked = atelier("predict", "mlp-blobs", str(tmp_path / "image.png"), "--json", home=blobs_home.root)
        right += json.loads(asked.stdout)["guesses"][0]["label"] == str(label)
    assert right == 3


def test_the_weights_load_into_pytorch_by_name(blobs_home: Home, trained: dict):
    torch = pytest.importorskip("torch", reason="PyTorch is a peer to compare with, not a dependency")
    folder = blobs_home.models / "mlp-blobs" / "1"
    weights = {name: torch.from_numpy(value) for name, value in load_file(folder / "weights.safetensors").items()}
    network = torch.nn.Sequential()
    network.add_module("flatten1", torch.nn.Flatten())
    network.add_module("dense1", torch.nn.Linear(144, 256))
    network.add_module("relu1", torch.nn.ReLU())
    network.add_module("dense2", torch.nn.Linear(256, 5))
    network.load_state_dict(weights)
    images, labels = blobs(200, shape=(12, 12), classes=5, seed=78)
    said = network(torch.from_numpy(images).float() / 255).argmax(dim=1).numpy()
    assert np.mean(said == labels) > 0.9


def test_the_run_can_be_looked_at(blobs_home: Home, trained: dict):
    shown = json.loads(atelier("runs", "show", trained["run"], "--json", home=blobs_home.root).stdout)
    assert (shown["status"], shown["epochs_done"]) == ("finished", int(EPOCHS))
    again = json.loads(atelier("train", "--resume", trained["run"], "--json", home=blobs_home.root).stdout)
    assert (again["digest"], again["version"]) == (trained["digest"], 1)


@pytest.mark.slow
def test_one_more_worker_or_less_gives_the_same_bits(blobs_home: Home, trained: dict):
    done = atelier(*TRAIN, "--epochs", EPOCHS, "--workers", "1", "--name", "alone", "--json", home=blobs_home.root)
    assert json.loads(done.stdout)["digest"] == trained["digest"]


@pytest.mark.parametrize(
    "how", [signal.SIGKILL, *(pytest.param(other, marks=pytest.mark.slow) for other in (signal.SIGINT, signal.SIGTERM))]
)
def test_a_training_that_is_killed_goes_on_to_the_same_bits(blobs_home: Home, trained: dict, how: signal.Signals):
    before = {path.name for path in blobs_home.runs.iterdir()}
    process = start(*TRAIN, "--epochs", EPOCHS, "--name", "killed", home=blobs_home.root)
    run = wait_for_rounds(blobs_home, before, 4)
    os.killpg(process.pid, how)  # as a terminal and `timeout` do; everything that isn't in the group must end with it
    _, err = process.communicate(timeout=240)
    if how == signal.SIGKILL:
        assert process.returncode == -how
    else:
        assert process.returncode == 128 + how
        assert err.splitlines()[-1] == f"atelier: interrupted; `atelier runs resume {run}` continues it"
        assert "Traceback" not in err
    assert not _left_behind(blobs_home)
    done = atelier("train", "--resume", run, "--json", home=blobs_home.root)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["digest"] == trained["digest"]


def _left_behind(home: Home, seconds: float = 120) -> list[str]:
    """The command lines of processes that still work in the home after so long."""
    deadline = time.monotonic() + seconds
    while found := [line for line in _command_lines() if str(home.root) in line]:
        if time.monotonic() > deadline:
            break
        time.sleep(0.1)
    return found


def _command_lines() -> Iterator[str]:
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            yield path.read_text(errors="replace").replace("\0", " ")


def wait_for_rounds(home: Home, before: set[str], rounds: int) -> str:
    """The name of the new run, once its log has so many rounds."""
    deadline = time.monotonic() + 240
    while time.monotonic() < deadline:
        for path in home.runs.iterdir():
            if path.name not in before and not path.name.startswith("."):
                done = sum(1 for entry in RunFolder(path).entries() if entry["kind"] == "round")
                if done >= rounds:
                    return path.name
        time.sleep(0.02)
    raise AssertionError("no run got that far")


SWEEP = ("sweep", *TRAIN[1:], "--over", "lr=0.1,0.2", "--over", "seed=0,1", "--epochs", EPOCHS, "--id", "four")


@pytest.mark.slow
def test_a_sweep_that_is_killed_goes_on_and_compares_all_trials(blobs_home: Home, trained: dict):
    sweep = start(*SWEEP, home=blobs_home.root)
    trials = blobs_home.sweeps / "four" / "trials"
    while sweep.poll() is None and not list(trials.glob("*.json")):
        time.sleep(0.01)
    sweep.kill()
    sweep.communicate()
    before = {path: path.stat().st_mtime_ns for path in trials.glob("*.json")}
    done = atelier(*SWEEP, "--json", home=blobs_home.root)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)["trials"]
    assert [trial["changes"] for trial in told] == [
        {"optimizer.lr": lr, "seed": seed} for lr in (0.1, 0.2) for seed in (0, 1)
    ]
    assert told[2]["digest"] == trained["digest"]
    assert len({trial["digest"] for trial in told}) == 4
    assert before
    assert all(path.stat().st_mtime_ns == when for path, when in before.items())
