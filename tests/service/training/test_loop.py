"""Runs on a real cluster of processes, on disk, to the same bits as without one."""

from errno import ENOSPC, EROFS
from os import strerror
from pathlib import Path

import pytest

from service.config import from_preset
from service.errors import Cancelled, Conflict, DataError, RunError
from service.home import Home
from service.rounds.executor import Executor
from service.runs import RoundLog, RunFolder, checkpoints
from service.training.evaluate import evaluate_run
from service.training.history import final_checkpoint
from service.training.loop import advance
from service.training.resume import reopen_run, resume_run
from service.training.start import create_run, start_run
from tests.jobs import blobs_store, serial_results, small, small_job


def run(home: Home, executor: Executor, name: str, **given) -> RunFolder:
    folder, job = create_run(home, executor, from_preset(small(**given)), name)
    for _ in advance(executor, folder, job):
        pass
    return folder


AVERAGING = {
    "after every step": {"average_every": 1},
    "after four steps": {"average_every": 4},
    "in a tree of sums": {"shards": 10},
    "after a solo start, with outer momentum": {"outer_momentum": 0.5, "solo_share": 0.35},
}
MORE_AVERAGING = {
    "every step in a tree": {"shards": 10, "average_every": 1},
    "more seldom by and by": {"first_average_every": 1, "average_every": 5},
    "once an epoch": {"average_every": 10},
    "velocities forgotten": {"average_every": 2, "velocity": "reset"},
}


@pytest.mark.parametrize("engine", ["array", "simd"])
@pytest.mark.parametrize("momentum", [0.0, 0.5])
@pytest.mark.parametrize("averaging", AVERAGING)
def test_a_executor_of_any_size_ends_in_the_bits_of_one_process(
    home: Home, tmp_path: Path, executor_of, averaging, momentum, engine
):
    given = {"averaging": AVERAGING[averaging], "optimizer": {"momentum": momentum}, "engine": engine}
    check_sizes(home, tmp_path, executor_of, given)


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["array", "simd"])
@pytest.mark.parametrize("momentum", [0.0, 0.5])
@pytest.mark.parametrize("averaging", AVERAGING | MORE_AVERAGING)
def test_so_it_does_with_convolutions_and_every_way_of_averaging(
    home: Home, tmp_path: Path, executor_of, averaging, momentum, engine
):
    ways = AVERAGING | MORE_AVERAGING
    given = {"averaging": ways[averaging], "optimizer": {"momentum": momentum}, "engine": engine}
    check_sizes(home, tmp_path, executor_of, {**given, "model": "lenet", "resize": 28})


def check_sizes(home: Home, folder: Path, executor_of, given: dict) -> None:
    job = small_job(home, folder / "idx", **given)
    *_, alone = serial_results(job)
    digests = {n: final_checkpoint(run(home, executor_of(n), f"w{n}", **given)).state.digest for n in (1, 2, 3, 4)}
    assert digests == dict.fromkeys((1, 2, 3, 4), alone.digest)


def test_a_run_leaves_a_whole_log_and_a_checkpoint_an_epoch(home: Home, tmp_path: Path, executor_of):
    blobs_store(home, tmp_path / "idx")
    folder = run(home, executor_of(2), "run")
    entries = [entry for entry in folder.entries() if entry["kind"] != "disturbed"]  # a busy machine has some
    assert [entry["kind"] for entry in entries] == ["begin", *["round"] * 3, "epoch", *["round"] * 3, "epoch", "end"]
    assert sum(entry["examples"] for entry in entries if entry["kind"] == "round") == 600
    assert folder.checkpoints.numbers() == [6, 3]
    assert folder.status() == "finished"
    epochs = [entry for entry in entries if entry["kind"] == "epoch"]
    assert epochs[1]["train_loss"] < epochs[0]["train_loss"]


def test_a_run_stopped_anywhere_goes_on_to_the_same_bits(home: Home, tmp_path: Path, executor_of):
    blobs_store(home, tmp_path / "idx")
    executor = executor_of(2)
    undisturbed = final_checkpoint(run(home, executor, "whole")).state.digest
    for stop_after in range(1, 10):
        folder, job = create_run(home, executor, from_preset(small()), f"stopped-{stop_after}")
        entries = advance(executor, folder, job)
        for _ in range(stop_after):
            next(entries)
        entries.close()
        assert folder.status() == "interrupted"
        for _ in advance(executor, folder, reopen_run(home, executor, folder)):
            pass
        assert final_checkpoint(folder).state.digest == undisturbed
        rounds = [entry["round"] for entry in folder.entries() if entry["kind"] == "round"]
        assert rounds == list(range(6))


def test_a_finished_run_has_nothing_left_to_do(home: Home, tmp_path: Path, executor_of):
    blobs_store(home, tmp_path / "idx")
    folder = run(home, executor_of(1), "run")
    before = folder.log.read_bytes()
    assert list(advance(executor_of(1), folder, reopen_run(home, executor_of(1), folder))) == []
    assert folder.log.read_bytes() == before


def test_a_second_coordinator_is_refused(home: Home, tmp_path: Path, executor_of):
    blobs_store(home, tmp_path / "idx")
    executor = executor_of(1)
    folder, job = create_run(home, executor, from_preset(small()), "run")
    entries = advance(executor, folder, job)
    next(entries)
    with pytest.raises(Conflict, match="being worked on by another process"):
        next(advance(executor, folder, job))
    entries.close()


def test_a_cancelled_run_stops_within_a_round_and_can_go_on(home: Home, tmp_path: Path, executor_of):
    blobs_store(home, tmp_path / "idx")
    executor = executor_of(2)
    undisturbed = final_checkpoint(run(home, executor, "whole")).state.digest
    folder, job = create_run(home, executor, from_preset(small()), "run")
    entries = advance(executor, folder, job)
    while next(entries)["kind"] != "round":
        pass
    folder.request("cancel")
    with pytest.raises(Cancelled):
        list(entries)
    assert sum(entry["kind"] == "round" for entry in folder.entries()) <= 2
    assert folder.status() == "cancelled"
    for _ in advance(executor, folder, reopen_run(home, executor, folder)):
        pass
    assert final_checkpoint(folder).state.digest == undisturbed


def test_a_damaged_checkpoint_is_passed_over_for_the_one_before(home: Home, tmp_path: Path, executor_of):
    blobs_store(home, tmp_path / "idx")
    executor = executor_of(2)
    undisturbed = final_checkpoint(run(home, executor, "whole", epochs=3)).state.digest
    folder, job = create_run(home, executor, from_preset(small(epochs=3)), "run")
    entries = advance(executor, folder, job)
    while next(entries)["kind"] != "epoch":
        pass
    while next(entries)["kind"] != "epoch":
        pass
    entries.close()
    (folder.checkpoints.folder / "6" / "replica.safetensors").write_bytes(b"damaged")
    begun = next(entries := advance(executor, folder, reopen_run(home, executor, folder)))
    assert begun["rounds_done"] == 3
    for _ in entries:
        pass
    assert final_checkpoint(folder).state.digest == undisturbed
    assert set(evaluate_run(home, executor, "run")) == {0, 1, 2}
    (folder.checkpoints.folder / "3" / "cursor.json").unlink()
    assert set(evaluate_run(home, executor, "run")) == {1, 2}


def test_a_checkpoint_that_a_process_died_over_is_cleared_away(home: Home, tmp_path: Path, executor_of):
    blobs_store(home, tmp_path / "idx")
    executor = executor_of(1)
    folder, job = create_run(home, executor, from_preset(small()), "run")
    draft = folder.checkpoints.folder / ".3-abcdefgh"
    draft.mkdir()
    (draft / "replica.safetensors").write_bytes(b"half of")
    for _ in advance(executor, folder, job):
        pass
    assert sorted(path.name for path in folder.checkpoints.folder.iterdir()) == ["3", "6"]


def test_a_round_that_comes_out_different_from_the_log_is_refused(home: Home, tmp_path: Path, executor_of):
    blobs_store(home, tmp_path / "idx")
    executor = executor_of(1)
    folder, job = create_run(home, executor, from_preset(small()), "run")
    with RoundLog(folder.log) as log:
        log.append("round", round=0, epoch=0, digest="f" * 64)
    with pytest.raises(
        RunError, match=r"round 0 came out as \w{12}, but the log has f{12}: the hardware, the libraries"
    ):
        list(advance(executor, folder, job))
    assert folder.status() == "failed"


def test_data_that_changed_under_a_run_are_refused(home: Home, tmp_path: Path, executor_of):
    blobs_store(home, tmp_path / "idx")
    executor = executor_of(1)
    folder, _ = create_run(home, executor, from_preset(small()), "run")
    home.store("blobs").rename(tmp_path / "away")
    blobs_store(home, tmp_path / "other", seed=5)
    with pytest.raises(RunError, match="was trained on data"):
        reopen_run(home, executor, folder)


def test_a_damaged_store_is_told_and_the_run_marked_failed(home: Home, tmp_path: Path, executor_of):
    blobs_store(home, tmp_path / "idx", train=301)
    executor = executor_of(1)
    folder, job = create_run(home, executor, from_preset(small()), "run")
    (home.store("blobs") / "train" / "images" / "c" / "0" / "0" / "0").unlink()
    with pytest.raises(DataError, match="is missing"):
        list(advance(executor, folder, job))
    assert folder.status() == "failed"


@pytest.mark.parametrize(
    ("error", "said"),
    [(ENOSPC, r"No space left.*with room made, .*runs resume full"), (EROFS, r"Read-only.*once it can be written")],
)
def test_a_disk_that_fills_or_turns_read_only_ends_the_run_in_one_line_and_it_goes_on(
    home: Home, tmp_path: Path, executor_of, monkeypatch: pytest.MonkeyPatch, error: int, said: str
):
    blobs_store(home, tmp_path / "idx")
    write = checkpoints.write

    def full(folder: Path, checkpoint: checkpoints.Checkpoint) -> Path:
        if checkpoint.round.epoch == 1:
            raise OSError(error, strerror(error))
        return write(folder, checkpoint)

    monkeypatch.setattr(checkpoints, "write", full)
    with pytest.raises(RunError, match=said):
        start_run(home, executor_of(2), "full", from_preset(small()), lambda entry: None)
    monkeypatch.setattr(checkpoints, "write", write)
    whole = start_run(home, executor_of(2), "whole", from_preset(small()), lambda entry: None)
    assert resume_run(home, executor_of(2), "full", lambda entry: None).digest == whole.digest


def test_a_training_that_diverges_ends_in_one_line_and_says_why(home: Home, tmp_path: Path, executor_of):
    small_job(home, tmp_path / "idx")
    given = small(optimizer={"lr": 100.0, "weight_decay": 1.0}, epochs=9)  # every step multiplies by -99
    folder, job = create_run(home, executor_of(2), from_preset(given), "diverges")
    with pytest.raises(RunError, match=r"run diverges diverged: .* lower learning rate than 100"):
        list(advance(executor_of(2), folder, job))
    assert folder.status() == "failed"
