import json
from dataclasses import asdict, replace
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load

from ops.engines.base import Replica
from service.errors import RunError
from service.rounds.plan import Round
from service.rounds.train_state import TrainState
from service.runs import checkpoints
from service.runs.checkpoints import Checkpoint, FolderCheckpoints


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


def test_a_folder_has_checkpoints_by_how_many_rounds_were_done(tmp_path: Path, checkpoint: Checkpoint):
    there = FolderCheckpoints(tmp_path / "checkpoints")
    there.write(checkpoint)
    assert (checkpoint.number, there.numbers()) == (7, [7])
    assert there.read(7).state.digests == checkpoint.state.digests
    (there.folder / ".8-draft").mkdir()
    there.clear_drafts()
    assert [path.name for path in there.folder.iterdir()] == ["7"]
    there.remove(7)
    assert there.numbers() == []


def test_a_moving_average_lies_in_a_checkpoint_beside_the_parameters(tmp_path: Path, checkpoint: Checkpoint):
    averaged = replace(checkpoint, state=replace(checkpoint.state, ema=checkpoint.state.replica.theta / 2))
    path = checkpoints.write(tmp_path, averaged)
    assert sorted(load((path / "replica.safetensors").read_bytes())) == ["ema", "outer", "theta", "velocity"]
    back = checkpoints.read(path).state
    np.testing.assert_array_equal(back.published, checkpoint.state.replica.theta / 2)
    np.testing.assert_array_equal(back.replica.theta, checkpoint.state.replica.theta)
    assert back.digests == averaged.state.digests


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


def test_a_checkpoint_of_another_state_is_written_over(tmp_path: Path, checkpoint: Checkpoint):
    replica = replace(checkpoint.state.replica, theta=checkpoint.state.replica.theta + 1)
    other = replace(checkpoint, state=replace(checkpoint.state, replica=replica))
    checkpoints.write(tmp_path, other)
    path = checkpoints.write(tmp_path, checkpoint)
    assert checkpoints.read(path).state.digest == checkpoint.state.digest != other.state.digest


def digest_of(cursor: dict[str, object]) -> str:
    return sha256(json.dumps(cursor, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def test_a_checkpoint_lies_on_disk_as_those_of_before_did(tmp_path: Path, checkpoint: Checkpoint):
    path, state = checkpoints.write(tmp_path, checkpoint), checkpoint.state
    tensors = (path / "replica.safetensors").read_bytes()
    found = load(tensors)
    expected = {"theta": state.replica.theta, "velocity": state.replica.velocity, "outer": state.outer}
    assert sorted(found) == sorted(expected)
    for name, vector in expected.items():
        np.testing.assert_array_equal(found[name], vector)
    cursor = json.loads((path / "cursor.json").read_text())
    stated = cursor.pop("cursor_sha256")
    assert cursor == {
        "round": {"number": 6, "epoch": 1, "first": 30, "last": 60, "shards": 4, "solo": False},
        "examples": 12345,
        "digest": sha256(state.replica.theta.tobytes()).hexdigest(),
        "sha256": sha256(tensors).hexdigest(),
    }
    assert stated == digest_of(cursor)
    assert (path / "cursor.json").read_text().count("\n") == 1
    assert sorted(file.name for file in path.iterdir()) == ["cursor.json", "replica.safetensors"]


def test_how_many_steps_were_taken_alone_lies_beside_the_round_where_there_were_any(
    tmp_path: Path, checkpoint: Checkpoint
):
    alone = replace(checkpoint, round=replace(checkpoint.round, solo_steps=30))
    path = checkpoints.write(tmp_path, alone)
    cursor = json.loads((path / "cursor.json").read_text())
    assert cursor["solo_steps"] == 30
    assert "solo_steps" not in cursor["round"]  # versions of before read the round as it is
    assert checkpoints.read(path).round.solo_steps == 30


def test_a_checkpoint_that_is_there_already_is_what_is_answered(tmp_path: Path, checkpoint: Checkpoint):
    assert checkpoints.write(tmp_path, checkpoint) == checkpoints.write(tmp_path, checkpoint) == tmp_path / "7"


def test_a_cursor_that_was_altered_is_told_apart_from_parameters_that_were(tmp_path: Path, checkpoint: Checkpoint):
    path = checkpoints.write(tmp_path, checkpoint)
    cursor, tensors = path / "cursor.json", path / "replica.safetensors"
    intact = cursor.read_text()
    cursor.write_text(intact.replace("12345", "12346"))
    with pytest.raises(RunError) as refused:
        checkpoints.read(path)
    assert str(refused.value) == f"{cursor} is damaged: its SHA-256 is not the one that it states"
    cursor.write_text(intact)
    content = bytearray(tensors.read_bytes())
    content[-1] ^= 1
    tensors.write_bytes(content)
    with pytest.raises(RunError) as refused:
        checkpoints.read(path)
    assert str(refused.value) == f"{tensors} is damaged: its SHA-256 is not the one in cursor.json"


@pytest.mark.parametrize("key", ["cursor_sha256", "sha256", "round", "examples"])
def test_a_cursor_that_lacks_something_is_refused(tmp_path: Path, checkpoint: Checkpoint, key: str):
    path = checkpoints.write(tmp_path, checkpoint)
    cursor = json.loads((path / "cursor.json").read_text())
    del cursor[key]
    if key != "cursor_sha256":
        del cursor["cursor_sha256"]
        cursor["cursor_sha256"] = digest_of(cursor)
    (path / "cursor.json").write_text(json.dumps(cursor))
    with pytest.raises(RunError) as refused:
        checkpoints.read(path)
    assert str(refused.value) == f"checkpoint {path} can't be read: '{key}'"


def test_a_checkpoint_that_is_not_there_is_refused_by_name(tmp_path: Path):
    with pytest.raises(RunError, match=f"checkpoint {tmp_path / '7'} can't be read: .*No such file"):
        checkpoints.read(tmp_path / "7")


def test_where_no_checkpoint_was_written_there_is_none(tmp_path: Path):
    assert checkpoints.numbers(tmp_path / "nowhere") == []
    assert checkpoints.numbers(tmp_path) == []


def test_a_checkpoint_that_is_removed_leaves_nothing_and_the_others_stay(tmp_path: Path, checkpoint: Checkpoint):
    path = checkpoints.write(tmp_path, checkpoint)
    checkpoints.write(tmp_path, replace(checkpoint, round=replace(checkpoint.round, number=7)))
    checkpoints.remove(path)
    assert [left.name for left in tmp_path.iterdir()] == ["8"]


def test_what_a_process_that_dies_leaves_of_a_removed_checkpoint_is_no_checkpoint(
    tmp_path: Path, checkpoint: Checkpoint, monkeypatch: pytest.MonkeyPatch
):
    path, gone = checkpoints.write(tmp_path, checkpoint), list[Path]()
    monkeypatch.setattr(checkpoints.shutil, "rmtree", gone.append)
    checkpoints.remove(path)
    assert gone == [tmp_path / ".7-removed"]
    assert gone[0].is_dir()
    assert checkpoints.numbers(tmp_path) == []
