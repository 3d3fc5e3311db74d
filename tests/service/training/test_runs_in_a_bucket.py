"""Trainings whose home is a bucket: the bits of those in a folder, whatever dies, is frozen or fails on the way."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from service.config import TrainConfig, from_preset
from service.errors import Cancelled, RunError
from service.home import Home
from service.model_ref import ModelRef
from service.registry import Registry
from service.rounds.serial_executor import SerialExecutor
from service.runs import Entry, Run, find_run, run_at
from service.runs.request_watch import RequestWatch
from service.runs.run import Request
from service.storage import Address, Bucket
from service.training.evaluate import evaluate_trained
from service.training.history import epochs_of
from service.training.loop import Trained
from service.training.publish import publish_run
from service.training.resume import recorded_job, resume_run
from service.training.start import start_run
from service.training.verify import damages, verify_run
from service.training.warm_start import WarmStart
from tests.jobs import blobs_store, small
from tests.object_storage import new_bucket, trouble

ROOT = Path(__file__).parents[3]
GIVEN: dict[str, Any] = {"epochs": 6, "averaging": {"average_every": 2}, "holdout": 60, "keep_checkpoints": 2}
CONFIG = from_preset(small(**GIVEN))

COORDINATOR = """
import json, sys
import service.runs.lease as lease
lease.LEASE_SECONDS, lease.RENEW_SECONDS = 2.0, 0.3
from service.config import TrainConfig
from service.errors import AtelierError, NotFound
from service.home import Home
from service.rounds.serial_executor import SerialExecutor
from service.runs import find_run
from service.training.resume import resume_run
from service.training.start import start_run

home, executor = Home.from_environment(), SerialExecutor()

def watch(entry):
    print(entry["kind"], entry.get("round", ""), flush=True)
    if entry["kind"] == "round" and len(sys.argv) > 2:
        sys.stdin.readline()

try:
    try:
        find_run(home.runs, "run")
    except NotFound:
        start_run(home, executor, "run", TrainConfig.model_validate_json(sys.argv[1]), watch)
    else:
        resume_run(home, executor, "run", watch)
except AtelierError as error:
    print(error, flush=True)
"""
"""Takes a run to its end; with a second argument it waits for a line of its input after each round."""


@pytest.fixture
def bucket_home(object_storage: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    """A home in a bucket, known to the environment too, with a data set."""
    for name in ("ATELIER_MODELS", "ATELIER_DATA", "ATELIER_RUNS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("ATELIER_HOME", new_bucket(object_storage, f"bucket-{uuid4().hex[:12]}", "home"))
    monkeypatch.setenv("ATELIER_LOCAL", str(tmp_path / "local"))
    home = Home.from_environment()
    blobs_store(home, tmp_path / "idx")
    return home


@pytest.fixture
def calm(tmp_path: Path) -> list[str]:
    """The digest of each round in a folder that nobody disturbs."""
    home = Home(tmp_path / "folder")
    blobs_store(home, tmp_path / "idx")
    train(home, "run")
    return digests(find_run(home.runs, "run"))


def train(home: Home, name: str, config: TrainConfig = CONFIG, **start: str) -> Trained:
    return start_run(home, SerialExecutor(), name, config, lambda entry: None, WarmStart(**start))


def digests(run: Run) -> list[str]:
    rounds = [entry for entry in run.entries() if entry["kind"] == "round"]
    assert [entry["round"] for entry in rounds] == list(range(len(rounds)))
    return [entry["digest"] for entry in rounds]


def check(home: Home, calm: list[str]) -> None:
    """Look whether a run has one history, and everything that it left is whole and right."""
    run = find_run(home.runs, "run")
    assert (digests(run), run.status()) == (calm, "finished")
    assert list(damages(run)) == []
    assert {found.same for found in verify_run(run, recorded_job(home, run))} == {True}


def test_a_home_in_a_bucket_gives_the_bits_of_one_in_a_folder_and_nothing_else_lies_in_a_folder(
    bucket_home: Home, calm: list[str]
):
    trained = train(bucket_home, "run")
    assert trained.digest == calm[-1]
    check(bucket_home, calm)
    published = publish_run(bucket_home, trained, evaluate_trained(bucket_home, SerialExecutor(), trained))
    model = Registry(bucket_home.models).find(ModelRef.parse(published.model))
    assert (model.lineage["run"], model.lineage["parameters"]) == ("run", calm[-1])
    kept = find_run(bucket_home.runs, "run").checkpoints.numbers()
    assert len(kept) == 4  # those of every second epoch, and the two newest
    assert sorted(path.name for path in bucket_home.root.iterdir()) == ["cache", "sweeps"]


def test_a_fork_an_extension_and_a_paused_run_go_on_from_a_bucket(
    bucket_home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(RequestWatch, "last", look)  # beside its thread, so small a run would be over
    folder = Home(tmp_path / "folder")
    blobs_store(folder, tmp_path / "idx")
    short = CONFIG.model_copy(update={"epochs": 2})
    longer = CONFIG.model_copy(update={"epochs": 4, "first_epoch": 2})
    found = []
    for home in (bucket_home, folder):
        train(home, "short", short)
        forked, extended = train(home, "fork", short, fork="short"), train(home, "longer", longer, extend="short")
        with pytest.raises(Cancelled, match="was paused after round"):
            start_run(home, SerialExecutor(), "paused", CONFIG, pause_at(home, 2))
        run = find_run(home.runs, "paused")
        assert run.status() == "paused"
        resumed = resume_run(home, SerialExecutor(), "paused", lambda entry: None)
        assert {each.same for each in verify_run(find_run(home.runs, "fork"), recorded_job(home, run))} <= {True}
        found.append((forked.digest, extended.digest, resumed.digest))
    assert found[0] == found[1]
    assert len(set(found[0])) == 3


def look(watch: RequestWatch) -> Request | None:
    """What was requested by now."""
    watch._look(watch._looks)
    return watch._last


def pause_at(home: Home, number: int):
    run = run_at(home.runs, "paused")

    def watch(entry: Entry) -> None:
        if entry["kind"] == "round" and entry["round"] == number:
            run.request("pause")

    return watch


@pytest.mark.slow
def test_a_run_in_a_bucket_that_fails_now_and_then_ends_in_the_same_bits(
    object_storage: str, bucket_home: Home, calm: list[str]
):
    with trouble(object_storage, unsteady=5):
        assert train(bucket_home, "run").digest == calm[-1]
        check(bucket_home, calm)


@contextmanager
def coordinator(*words: str) -> Iterator["subprocess.Popen[str]"]:
    process = subprocess.Popen(
        [sys.executable, "-c", COORDINATOR, CONFIG.model_dump_json(), *words],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def go_until(process: "subprocess.Popen[str]", line: str) -> None:
    """Let a coordinator go on round by round until it has said a line."""
    assert process.stdin is not None
    assert process.stdout is not None
    while (said := process.stdout.readline().strip()) != line:
        assert said, "it ended"
        if said.startswith("round"):
            process.stdin.write("\n")
            process.stdin.flush()


@pytest.mark.slow
def test_a_coordinator_that_is_killed_again_and_again_is_continued_to_the_same_bits(bucket_home: Home, calm: list[str]):
    for number in (3, 12, 17):
        with coordinator("step by step") as process:
            go_until(process, f"round {number}")
            process.send_signal(signal.SIGKILL)
            assert process.wait() == -signal.SIGKILL
    with coordinator() as process:
        out, _ = process.communicate()
        assert out.splitlines()[-1] == "end "
    check(bucket_home, calm)


@pytest.mark.slow
def test_a_coordinator_that_was_frozen_replaced_and_revived_ends_with_one_line_and_the_history_is_one(
    bucket_home: Home, calm: list[str]
):
    with coordinator("step by step") as frozen:
        go_until(frozen, "round 7")
        frozen.send_signal(signal.SIGSTOP)
        with coordinator() as second:
            out, _ = second.communicate()
        if "worked on by another process" in out:  # the lease was renewed just before
            with coordinator() as second:
                out, _ = second.communicate()
        assert out.splitlines()[-1] == "end "
        frozen.send_signal(signal.SIGCONT)
        out, _ = frozen.communicate("\n" * 1000)
    assert out.splitlines()[-1] == (
        "run run was taken over by another process while this one was paused; nothing more is written by this one"
    )
    assert sum("taken over" in line for line in out.splitlines()) == 1
    check(bucket_home, calm)
    log = find_run(bucket_home.runs, "run").read_log()
    assert [line.count(b'"kind":"fence"') for line in log.splitlines()].count(1) == 2


def test_a_run_of_which_objects_were_damaged_says_which_and_goes_on_from_the_others(bucket_home: Home, calm: list[str]):
    train(bucket_home, "run")
    run = find_run(bucket_home.runs, "run")
    assert isinstance(run.place, Address)
    newest = run.checkpoints.numbers()[0]
    Bucket(run.place).put(f"checkpoints/{newest}/replica.safetensors", b"damaged")
    assert [str(run.place / "checkpoints") in damage for damage in damages(run)] == [True]
    assert resume_run(bucket_home, SerialExecutor(), "run", lambda entry: None).digest == calm[-1]
    check(bucket_home, calm)
    Bucket(run.place).put("config.json", b"{")
    with pytest.raises(RunError, match=rf"{run.place}/config.json is damaged"):
        resume_run(bucket_home, SerialExecutor(), "run", lambda entry: None)
    assert len(epochs_of(run)) == 6
