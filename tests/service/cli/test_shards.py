"""`atelier train --shards K` picks how to average, says so, and hands over what it picked as if it had been said."""

from math import log
from pathlib import Path

import pytest

from service.cli import Pipelines, command
from service.config import AveragingConfig, TrainConfig
from service.data import label_counts
from service.errors import AtelierError
from service.home import Home
from tests.jobs import blobs_store


@pytest.fixture(scope="module")
def with_blobs(tmp_path_factory: pytest.TempPathFactory) -> Home:
    folder = tmp_path_factory.mktemp("shards")
    blobs_store(Home(folder / "home"), folder / "idx")
    return Home(folder / "home")


def trained(home: Home, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *words: str):
    """The configuration that a command starts a training with, and what it says on standard error before."""
    seen: list[TrainConfig] = []

    def train(home: Home, config: TrainConfig, *args: object) -> None:
        seen.append(config)
        raise AtelierError("that will do")

    def fail(*args: object) -> None:
        pytest.fail("nothing else may be started")

    monkeypatch.setenv("ATELIER_HOME", str(home.root))
    pipelines = Pipelines(ingest=fail, train=train, resume=fail, evaluate=fail, sweep=fail, study=fail, deploy=fail)
    with pytest.raises(SystemExit):
        command(pipelines, ["train", "--dataset", "blobs", "--model", "mlp", *words])
    told = capsys.readouterr()
    assert told.out == ""
    assert "that will do" in told.err
    (config,) = seen
    return config, told.err


def entropy(counts: tuple[int, ...]) -> float:
    """The loss of guessing, in nats."""
    return -sum(count / sum(counts) * log(count / sum(counts)) for count in counts)


def test_what_is_picked_is_part_of_the_configuration_and_is_said_in_one_line(
    with_blobs: Home, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    config, told = trained(with_blobs, monkeypatch, capsys, "--shards", "16", "--batch-size", "32")
    left = round(0.65 * entropy(label_counts(with_blobs.store("blobs"), "train")), 2)
    assert config.averaging == AveragingConfig(
        shards=16, average_every=30, outer_momentum=0.9, solo_share=0.5, solo_loss=left, final_average="plain"
    )
    assert config.batch_size == 32
    (line,) = (line for line in told.splitlines() if "16 shards" in line)
    assert f"--solo-share 0.5 --solo-loss {left} --final-average plain" in line


@pytest.mark.parametrize("words", [(), ("--shards", "4"), ("--shards", "16", "--solo-share", "0.15")], ids=" ".join)
def test_nothing_is_picked_where_something_is_said_or_the_default_is_meant(
    with_blobs: Home, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], words: tuple[str, ...]
):
    config, told = trained(with_blobs, monkeypatch, capsys, *words)
    assert config.averaging == AveragingConfig(shards=16 if "16" in words else 4)
    assert "because" not in told


def test_data_that_are_fetched_later_have_ten_classes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    home = Home(tmp_path / "home")
    home.prepare()
    config, _ = trained(home, monkeypatch, capsys, "--shards", "16", "--dataset", "fashion-mnist")
    assert config.averaging.solo_loss == 1.5


def test_nothing_is_picked_for_a_run_that_starts_from_weights(
    with_blobs: Home, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
):
    from safetensors.numpy import save_file

    from ops import zoo

    network = zoo.network("mlp", (1, 12, 12), 5)
    save_file(dict(network.named_parameters(network.init_parameters(0))), tmp_path / "w.safetensors")
    words = ("--shards", "16", "--init", str(tmp_path / "w.safetensors"))
    config, told = trained(with_blobs, monkeypatch, capsys, *words)
    assert config.averaging == AveragingConfig(shards=16)
    assert "because" not in told


def test_the_plateau_of_unbalanced_data_is_theirs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    home = Home(tmp_path / "home")
    blobs_store(home, tmp_path / "idx")
    monkeypatch.setattr("service.cli.train.label_counts", lambda store, split: (900, 25, 25, 25, 25))
    config, _ = trained(home, monkeypatch, capsys, "--shards", "16")
    assert config.averaging.solo_loss == round(0.65 * entropy((900, 25, 25, 25, 25)), 2) == 0.3
