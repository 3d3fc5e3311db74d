"""Networks on the command line: checked before a training, handed to it, and shown after it."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from service.cli.main import command
from service.config import from_preset
from service.home import Home
from service.networks import Description
from service.networks.building import build, describe
from service.rounds.serial_executor import SerialExecutor
from service.search.sweep import Sweep, as_cell
from service.training.start import start_run
from tests.jobs import blobs_store, small
from tests.service.cli.test_wrong_use import NOTHING_RUNS
from tests.service.models import draft, publish

SMALL = """
name = "small"
layers = [
  { conv2d = { channels = 2, kernel_size = 3 } }, "relu", { maxpool2d = { size = 2 } },
  "flatten", { dense = { units = "classes", bias = false } },
]
"""


def said(capsys: pytest.CaptureFixture[str], *words: str, status: int | None = 0) -> str:
    """What a command prints, to whatever stream."""
    with pytest.raises(SystemExit) as left:
        command(NOTHING_RUNS, list(words))
    assert (left.value.code or 0) == status
    streams = capsys.readouterr()
    return streams.err if status else streams.out


@pytest.mark.usefixtures("home")
def test_a_network_is_checked_before_it_is_trained(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    (tmp_path / "small.toml").write_text(SMALL)
    words = ("network", "check", str(tmp_path / "small.toml"), "--input", "3x12x10", "--classes", "7")
    found = json.loads(said(capsys, *words, "--json"))
    assert [row["shape"] for row in found["layers"]] == [[2, 10, 8], [2, 10, 8], [2, 5, 4], [40], [7]]
    assert [row["parameters"] for row in found["layers"]] == [2 * 3 * 9 + 2, 0, 0, 0, 280]
    assert found["layers"][0]["flops"] == 2 * 27 * 2 * 80
    assert [row["receptive_field"] for row in found["layers"]] == [[3, 3], [3, 3], [4, 4], [4, 4], None]
    assert (found["parameters"], found["engine"], found["input"]) == (336, "simd", [3, 12, 10])
    text = said(capsys, *words)
    assert "maxpool2d1  2x5x4" in text
    assert "runs here with the engine simd on " in text


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize(
    ("source", "size", "message"),
    [
        ("small.toml", "12x10", "--input must be channels, height and width such as 3x32x32, got '12x10'"),
        (
            "small.toml",
            "3x2x2",
            "layers[0]: kernel_size (3, 3) with dilation (1, 1) must fit in the padded input (2, 2)",
        ),
        ("missing.toml", "3x12x10", "missing.toml can't be read: No such file or directory"),
        ("resnet", "3x12x10", "model must be 'lenet', 'lenet-relu', "),
        ("no_such_module:network", "3x12x10", "no_such_module:network can't be called: ModuleNotFoundError: "),
    ],
)
def test_a_network_that_cannot_be_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], source, size, message
):
    (tmp_path / "small.toml").write_text(SMALL)
    monkeypatch.chdir(tmp_path)
    told = said(capsys, "network", "check", source, "--input", size, status=2)
    assert message in told
    assert told.count("\n") == 1


@pytest.mark.usefixtures("home")
def test_a_function_is_given_the_shape_and_the_classes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    (tmp_path / "networks_of_mine.py").write_text(
        "import ops\n\n\ndef flat(shape, classes):\n"
        "    return ops.Network('flat', shape, (ops.Flatten(), ops.Dense(classes)))\n"
    )
    monkeypatch.chdir(tmp_path)
    words = ("network", "check", "networks_of_mine:flat", "--input", "2x3x4", "--classes", "5")
    assert json.loads(said(capsys, *words, "--json"))["parameters"] == 2 * 3 * 4 * 5 + 5


def test_the_layers_of_a_model_are_shown(home: Home, capsys: pytest.CaptureFixture[str]):
    model = publish(home.models)
    found = json.loads(said(capsys, "models", "show", "lenet", "--layers", "--json"))
    assert (found["model"], found["version"], found["parameters"]) == ("lenet", 1, 61_706)
    assert found["digest"] == model.network["digest"] == describe(model.build_network()).digest
    assert "conv2d2     16x10x10" in said(capsys, "models", "show", "lenet", "--layers")


class Handed(Exception):
    """Ends a command once it hands over what it would train."""


@pytest.fixture
def handed(home: Home, tmp_path: Path) -> Callable[..., tuple[Any, ...]]:
    """What a command hands to its pipeline, in a home with a data set `blobs` and a file small.toml."""
    blobs_store(home, tmp_path / "idx")
    (tmp_path / "small.toml").write_text(SMALL)

    def catch(*arguments: Any) -> Any:
        raise Handed(*arguments)

    def run(*words: str) -> tuple[Any, ...]:
        with pytest.raises(Handed) as caught:
            command(replace(NOTHING_RUNS, train=catch, sweep=catch), [*words, "--dataset", "blobs"])
        return caught.value.args

    return run


def test_a_training_is_handed_the_description_and_never_the_file(handed: Callable[..., Any], tmp_path: Path):
    config = handed("train", "--model", str(tmp_path / "small.toml"), "--epochs", "3")[1]
    assert config.model == Description.parse(SMALL)
    assert (config.epochs, config.published_name) == (3, "small-blobs")


def test_a_sweep_compares_networks_from_files_with_those_of_the_zoo(handed: Callable[..., Any], tmp_path: Path):
    sweep = handed("sweep", "--over", f"model={tmp_path}/small.toml,mlp", "--over", "lr=0.1,0.2")[1]
    again = Sweep.model_validate_json(sweep.model_dump_json())  # as it lies in the sweep's folder
    assert [(trial.config.network_name, trial.config.optimizer.lr) for trial in again.plan()] == [
        ("small", 0.1),
        ("small", 0.2),
        ("mlp", 0.1),
        ("mlp", 0.2),
    ]
    assert as_cell(sweep.over["model"][0]) == "small"  # type: ignore[index]  # a list, as the command line has it


def test_a_fork_takes_over_the_network_of_its_parent(handed: Callable[..., Any], home: Home):
    config = from_preset(small(model=SMALL, epochs=1))
    start_run(home, SerialExecutor(), "parent", config, lambda _: None)
    assert handed("train", "--fork", "parent", "--lr", "0.01")[1].model == Description.parse(SMALL)
    assert handed("train", "--fork", "parent", "--model", "mlp")[1].model == "mlp"


def test_a_run_that_starts_from_a_model_takes_over_its_network(handed: Callable[..., Any], home: Home):
    description = Description.parse(SMALL)
    network = build(description, (1, 12, 12), 5)
    theta, config = network.init_parameters(0), {"model": description.data, "resize": 0}
    made = replace(draft("mlp"), network=network, theta=theta, class_names=tuple("abcde"), config=config)
    publish(home.models, "mine", made)
    assert handed("train", "--init", "mine")[1].model == description
