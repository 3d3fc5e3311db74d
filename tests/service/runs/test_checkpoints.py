from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

from ops.engines.base import Replica
from service.errors import RunError
from service.rounds.plan import Round
from service.rounds.train_state import TrainState
from service.runs import checkpoints
from service.runs.checkpoints import Checkpoint


@pytest.fixture
def checkpoint() -> Checkpoint:
    rng = np.random.default_rng(3)
    theta, velocity, outer = rng.normal(size=(3, 50)).astype(np.float32)
    return Checkpoint(Round(6, 1, 30, 60, 4), 12345, TrainState(Replica(theta, velocity), outer))


def test_a_checkpoint_comes_back_as_it_was_written(tmp_path: Path, checkpoint: Checkpoint):
    path = checkpoints.write(tmp_path, checkpoint)
    back = checkpoints.read(path)
    assert path.name == "7"
    assert asdict(back.round) == asdict(checkpoint.round)
    assert back.examples == 12345
    for name in ("theta", "velocity"):
        np.testing.assert_array_equal(getattr(back.state.replica, name), getattr(checkpoint.state.replica, name))
    np.testing.assert_array_equal(back.state.outer, checkpoint.state.outer)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["7"]


def test_checkpoints_are_listed_newest_first_by_number(tmp_path: Path):
    for name in ("2", "10", ".3-draft", "notes"):
        (tmp_path / name).mkdir()
    assert checkpoints.numbers(tmp_path) == [10, 2]


@pytest.mark.parametrize("file", ["replica.safetensors", "cursor.json"])
@pytest.mark.parametrize("harm", ["flip", "cut", "remove"])
def test_a_damaged_checkpoint_is_refused(tmp_path: Path, checkpoint: Checkpoint, file: str, harm: str):
    path = checkpoints.write(tmp_path, checkpoint) / file
    content = bytearray(path.read_bytes())
    if harm == "remove":
        path.unlink()
    elif harm == "cut":
        path.write_bytes(content[: len(content) // 2])
    else:
        content[len(content) // 2] ^= 0x10
        path.write_bytes(content)
    with pytest.raises(RunError):
        checkpoints.read(tmp_path / "7")


def test_a_damaged_checkpoint_is_written_anew_and_a_whole_one_is_left(tmp_path: Path, checkpoint: Checkpoint):
    path = checkpoints.write(tmp_path, checkpoint)
    before = (path / "cursor.json").stat().st_mtime_ns
    checkpoints.write(tmp_path, checkpoint)
    assert (path / "cursor.json").stat().st_mtime_ns == before
    (path / "replica.safetensors").write_bytes(b"damaged")
    assert asdict(checkpoints.read(checkpoints.write(tmp_path, checkpoint)).round) == asdict(checkpoint.round)
