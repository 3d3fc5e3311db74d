"""`atelier runs delete`, `runs prune` and `clean`: what goes, what stays, and what is said."""

import json
import os
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from service.cli import command
from service.files import locked
from service.home import Home
from service.registry import Registry
from service.rounds.serial_executor import SerialExecutor
from service.runs import RunFolder, all_runs
from service.training.evaluate import evaluate_trained
from service.training.publish import publish_run
from service.training.start import create_run, start_run
from service.training.warm_start import WarmStart
from tests.service.cli.test_wrong_use import NOTHING_RUNS
from tests.service.training.noisy import noisy_store, overfitting


@pytest.fixture
def home_with_runs(home: Home, tmp_path: Path) -> Home:
    """A published run, one that a sweep trained and one that was begun."""
    noisy_store(home, tmp_path / "idx")
    for name in ("published", "swept-0003"):
        trained = start_run(home, SerialExecutor(), name, overfitting(epochs=1), lambda entry: None)
        if name == "published":
            publish_run(home, trained, evaluate_trained(home, SerialExecutor(), trained))
    create_run(home, SerialExecutor(), overfitting(), "begun")
    (home.sweeps / "swept").mkdir()
    return home


def say(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str]:
    """Exit status and output of the command."""
    with pytest.raises(SystemExit) as left:
        command(NOTHING_RUNS, list(words))
    captured = capsys.readouterr()
    return int(left.value.code or 0), captured.out + captured.err


def names(home: Home) -> set[str]:
    return {folder.name for folder in all_runs(home.runs)}


def test_a_deleted_run_is_gone_and_its_model_and_its_fork_are_not(home_with_runs: Home, capsys):
    home = home_with_runs
    fork, _ = create_run(home, SerialExecutor(), overfitting(), "fork", WarmStart(fork="published"))
    status, text = say(capsys, "runs", "delete", "published")
    assert (status, names(home)) == (0, {"swept-0003", "begun", "fork"})
    assert "run published is deleted: " in text
    assert not list(home.runs.glob(".*"))
    assert Registry(home.models).get(overfitting().published_name, "1").parameters().size
    assert fork.start() is not None


def test_a_run_that_is_running_or_counted_on_stays(home_with_runs: Home, capsys):
    with RunFolder.open(home_with_runs.runs, "begun").held():
        status, text = say(capsys, "runs", "delete", "begun")
    assert (status, "runs cancel begun" in text) == (1, True)
    status, text = say(capsys, "runs", "delete", "swept-0003")
    assert (status, "delete it with --force" in text) == (1, True)
    assert names(home_with_runs) == {"published", "swept-0003", "begun"}
    assert say(capsys, "runs", "delete", "swept-0003", "--force")[0] == 0
    assert names(home_with_runs) == {"published", "begun"}


def test_pruning_takes_what_ended_long_enough_ago_and_nobody_needs(
    home_with_runs: Home, capsys, monkeypatch: pytest.MonkeyPatch
):
    assert "0 runs" in say(capsys, "runs", "prune", "--older-than", "1h")[1]

    class Later(datetime):
        @classmethod
        def now(cls, tz: object = None) -> datetime:
            return datetime.now(UTC) + timedelta(days=8)

    monkeypatch.setattr("service.runs.housekeeping.datetime", Later)
    assert json.loads(say(capsys, "runs", "prune", "--older-than", "9d", "--json")[1])["runs"] == {}
    dry = json.loads(say(capsys, "runs", "prune", "--older-than", "1w", "--dry-run", "--json")[1])
    assert (set(dry["runs"]), dry["deleted"], len(names(home_with_runs))) == ({"published"}, False, 3)
    assert "1 run, " in say(capsys, "runs", "prune", "--older-than", "1w")[1]
    assert names(home_with_runs) == {"swept-0003", "begun"}


@pytest.mark.parametrize("age", ["7", "-1d", "d", "1y", "100000000h"])
def test_an_age_that_is_none_is_refused(home: Home, capsys, age: str):
    status, text = say(capsys, "runs", "prune", f"--older-than={age}")
    assert (status, "such as 12h, 30d or 8w" in text) == (2, True)


def test_disk_use_stands_in_the_list(home_with_runs: Home, capsys):
    listed = {run["run"]: run["bytes"] for run in json.loads(say(capsys, "runs", "list", "--json")[1])}
    files = [path for path in (home_with_runs.runs / "published").rglob("*") if path.is_file()]
    assert listed["published"] == sum(path.stat().st_size for path in files)
    head, first, *_ = say(capsys, "runs", "list")[1].splitlines()
    assert "size" in head
    assert "kB" in first


def test_cleaning_frees_caches_and_leftovers_and_nothing_else(home_with_runs: Home, capsys):
    home = home_with_runs
    (home.cache / "simd").mkdir()
    (home.cache / "simd" / "kernel.o").write_bytes(bytes(3000))
    for name in (".blobs.scratch", ".killed.scratch", "gpus"):
        (home.cache / name).mkdir()
        (home.cache / name / "file").write_bytes(bytes(7))
    for name in (".deleted-old", ".new-abc", ".begun-now"):
        (home.runs / name).mkdir()
        (home.runs / name / "config.json").write_text("{}")
    day = time.time() - 25 * 3600
    os.utime(home.runs / ".new-abc", (day, day))
    before = {path for path in home.root.rglob("*") if path.is_file()}
    with locked(home.cache / ".blobs.lock"):
        told = json.loads(say(capsys, "clean", "--dry-run", "--json")[1])
    assert told["folders"] == {
        str(home.cache / ".killed.scratch"): 7,
        str(home.cache / "simd"): 3000,
        str(home.runs / ".deleted-old"): 2,
        str(home.runs / ".new-abc"): 2,
    }
    assert {path for path in home.root.rglob("*") if path.is_file()} == before
    with locked(home.cache / ".blobs.lock"):
        assert "3.0 kB freed" in say(capsys, "clean")[1]
    gone = before - {path for path in home.root.rglob("*") if path.is_file()}
    assert {path.parent for path in gone} == {Path(folder) for folder in told["folders"]}
    with locked(home.cache / ".blobs.lock"):
        assert say(capsys, "clean")[1].strip() == "there is nothing to free"
