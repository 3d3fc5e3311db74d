"""Runs computed again and held against their logs; forks; pauses."""

import json
import shutil
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest

from service.config import from_preset
from service.errors import Cancelled, InvalidInput, NotFound, RunError
from service.home import Home
from service.runs import Entry, RunFolder
from service.training.history import final_checkpoint
from service.training.loop import advance
from service.training.resume import recorded_job, reopen_run, resume_run
from service.training.start import create_run
from service.training.verify import damages, examples_once, verify_run
from service.training.warm_start import WarmStart
from tests.jobs import blobs_store, serial_results, small


@pytest.fixture
def run(home: Home, tmp_path: Path, executor_of) -> RunFolder:
    blobs_store(home, tmp_path / "idx")
    return trained(home, executor_of(2), "run")


def trained(home: Home, executor, name: str, fork: str = "", init: str = "", **given) -> RunFolder:
    folder, job = create_run(home, executor, from_preset(small(**given)), name, WarmStart(fork, init))
    for _ in advance(executor, folder, job):
        pass
    return folder


def test_an_honest_run_agrees_in_every_round(home: Home, run: RunFolder):
    job = recorded_job(home, run)
    checks = list(verify_run(run, job))
    assert [check.round for check in checks] == list(range(6))
    assert all(check.same for check in checks)
    assert examples_once(run, job, 0)
    assert examples_once(run, job, 1)


@pytest.mark.parametrize("number", [0, 2, 3, 5])
def test_one_round_can_be_verified_alone(home: Home, run: RunFolder, number: int):
    checks = list(verify_run(run, recorded_job(home, run), number))
    assert [(check.round, check.same) for check in checks] == [(number, True)]


def test_a_forged_round_is_the_first_that_differs(home: Home, run: RunFolder):
    forge(run, 4, digest="f" * 64)
    checks = list(verify_run(run, recorded_job(home, run)))
    assert [check.same for check in checks] == [True] * 4 + [False]


def test_a_round_of_other_steps_than_the_plan_s_is_told(home: Home, run: RunFolder):
    forge(run, 4, first=5)
    with pytest.raises(RunError, match=r"round 4 used .* planned were"):
        list(verify_run(run, recorded_job(home, run)))
    assert not examples_once(run, recorded_job(home, run), 1)


def test_the_log_of_an_older_version_still_resumes_and_verifies(home: Home, tmp_path: Path, executor_of):
    blobs_store(home, tmp_path / "idx")
    given = {"averaging": {"solo_share": 0.2}}
    folder, job = create_run(home, executor_of(2), from_preset(small(**given)), "old")
    entries = advance(executor_of(2), folder, job)
    while next(entries)["kind"] != "epoch":
        pass
    entries.close()
    rewrite(folder, lambda entry: {k: v for k, v in entry.items() if k not in ("solo", "dispersion")})
    for _ in advance(executor_of(2), folder, reopen_run(home, executor_of(2), folder)):
        pass
    assert all(check.same for check in verify_run(folder, job))
    assert examples_once(folder, job, 0)
    straight = trained(home, executor_of(2), "straight", **given)
    assert final_checkpoint(folder).state.digest == final_checkpoint(straight).state.digest


def test_an_end_that_says_something_else_is_told(home: Home, run: RunFolder):
    assert list(damages(run)) == []
    rewrite(run, lambda entry: entry | ({"digest": "f" * 64} if entry["kind"] == "end" else {}))
    (damage,) = damages(run)
    assert damage.startswith("the log ends with digest ffffffffffff, but its last round has ")
    assert all(check.same for check in verify_run(run, recorded_job(home, run)))


@pytest.mark.parametrize("newest_checkpoint", ["whole", "lost"])
def test_an_end_that_says_something_else_is_not_resumed(
    home: Home, run: RunFolder, executor_of, newest_checkpoint: str
):
    rewrite(run, lambda entry: entry | ({"digest": "f" * 64} if entry["kind"] == "end" else {}))
    if newest_checkpoint == "lost":
        shutil.rmtree(run.checkpoints.folder / "6")
    before = run.log.read_bytes()
    with pytest.raises(RunError, match=r"with the digest f{12}, but its rounds have .* nothing is published"):
        resume_run(home, executor_of(2), "run", lambda _: None)
    assert run.log.read_bytes() == before


def test_damaged_and_exchanged_checkpoints_are_told(run: RunFolder):
    (run.checkpoints.folder / "3" / "replica.safetensors").write_bytes(b"damaged")
    assert [str(run.checkpoints.folder / "3") in damage for damage in damages(run)] == [True]
    shutil.rmtree(run.checkpoints.folder / "3")
    (run.checkpoints.folder / "6").rename(run.checkpoints.folder / "3")
    forge(run, 5, digest="f" * 64)
    assert "checkpoint 3 has digest" in list(damages(run))[1]


def test_a_finished_run_whose_newest_checkpoint_is_damaged_goes_on_from_the_one_before(
    home: Home, run: RunFolder, executor_of
):
    digest = final_checkpoint(run).state.digest
    (run.checkpoints.folder / "6" / "replica.safetensors").write_bytes(b"damaged")
    assert resume_run(home, executor_of(2), "run", lambda _: None).digest == digest
    assert final_checkpoint(run).state.digest == digest
    assert list(damages(run)) == []
    assert [entry["rounds_done"] for entry in run.entries() if entry["kind"] == "begin"] == [0, 3]
    assert run.status() == "finished"


def forge(run: RunFolder, number: int, **values) -> None:
    """Change a round in the log and mend the chain after it, as a careful forger would."""
    rewrite(run, lambda entry: entry | (values if entry.get("round") == number and entry["kind"] == "round" else {}))


def rewrite(run: RunFolder, change: Callable[[Entry], Entry]) -> None:
    """Change the lines of a log, with a chain that is whole."""
    previous, lines = "0" * 64, []
    for line in run.log.read_text().splitlines():
        entry = change(json.loads(line)) | {"previous": previous}
        lines.append(json.dumps(entry, sort_keys=True, separators=(",", ":")) + "\n")
        previous = sha256(lines[-1].encode()).hexdigest()
    run.log.write_text("".join(lines))


def test_a_round_that_is_not_there_cannot_be_verified(home: Home, run: RunFolder):
    with pytest.raises(NotFound, match="no round 6: the log has 6 rounds"):
        list(verify_run(run, recorded_job(home, run), 6))


def test_a_fork_starts_from_the_state_of_its_parent(home: Home, run: RunFolder, executor_of):
    fork = trained(home, executor_of(2), "fork", "run:3", epochs=1, seed=9)
    job = recorded_job(home, fork)
    start = fork.start()
    assert start is not None
    logged = [entry["digest"] for entry in run.entries() if entry["kind"] == "round"]
    assert start.digest == logged[2]
    *_, last = serial_results(job, start)
    assert final_checkpoint(fork).state.digest == last.digest
    assert all(check.same for check in verify_run(fork, job))
    assert fork.facts()["fork"] == "run:3"


def test_a_fork_with_another_optimizer_takes_the_parameters_alone(home: Home, run: RunFolder, executor_of):
    given = {"optimizer": {"lr": 0.001, "optimizer": "adamw"}, "epochs": 1}
    fork = trained(home, executor_of(2), "fork", "run", **given)
    start, parent = fork.start(), final_checkpoint(run).state
    assert start is not None
    assert start.digest == parent.digest
    assert start.replica.velocity.size == 2 * start.replica.theta.size + 1
    assert not start.replica.velocity.any()
    assert all(check.same for check in verify_run(fork, recorded_job(home, fork)))


def test_a_fork_needs_a_checkpoint_that_is_there_and_the_same_network(home: Home, run: RunFolder, executor_of):
    with pytest.raises(NotFound, match="no checkpoint 4 "):
        trained(home, executor_of(2), "fork", "run:4")
    with pytest.raises(InvalidInput, match="fork with the same --model"):
        trained(home, executor_of(2), "fork", "run", model="lenet", resize=28)


def test_a_paused_run_says_so_and_goes_on_to_the_same_bits(home: Home, run: RunFolder, executor_of):
    executor = executor_of(2)
    folder, job = create_run(home, executor, from_preset(small()), "paused")
    entries = advance(executor, folder, job)
    while next(entries)["kind"] != "round":
        pass
    folder.request("pause")
    with pytest.raises(Cancelled, match="was paused after round"):
        list(entries)
    assert folder.status() == "paused"
    for _ in advance(executor, folder, reopen_run(home, executor, folder)):
        pass
    np.testing.assert_array_equal(
        final_checkpoint(folder).state.replica.theta, final_checkpoint(run).state.replica.theta, strict=True
    )
