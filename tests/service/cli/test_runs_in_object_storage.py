"""`atelier runs`, `data`, `models` and `clean` with ATELIER_HOME in a bucket, and a training from end to end."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest

from service.cli import command
from service.home import Home
from service.rounds.serial_executor import SerialExecutor
from service.runs import all_runs, find_run
from service.storage import Address, Bucket
from service.training.evaluate import evaluate_trained
from service.training.publish import publish_run
from service.training.start import create_run, start_run
from tests.commands import atelier
from tests.object_storage import new_bucket
from tests.service.cli.test_wrong_use import NOTHING_RUNS
from tests.service.training.noisy import noisy_store, overfitting

DEFAULT_DIGEST = "e2c898c8db699ed4"


@pytest.fixture
def far(object_storage: str, home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    """A home in a bucket, with a published run and one that was begun."""
    monkeypatch.setenv("ATELIER_HOME", new_bucket(object_storage, f"bucket-{uuid4().hex[:12]}", "home"))
    monkeypatch.setenv("ATELIER_LOCAL", str(tmp_path / "local"))
    found = Home.from_environment()
    noisy_store(found, tmp_path / "idx")
    trained = start_run(found, SerialExecutor(), "published", overfitting(epochs=1), lambda entry: None)
    publish_run(found, trained, evaluate_trained(found, SerialExecutor(), trained))
    create_run(found, SerialExecutor(), overfitting(), "begun")
    return found


def say(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str]:
    """Exit status and output of the command."""
    with pytest.raises(SystemExit) as left:
        command(NOTHING_RUNS, list(words))
    captured = capsys.readouterr()
    return int(left.value.code or 0), captured.out + captured.err


def test_runs_are_listed_shown_verified_requested_and_deleted(far: Home, capsys: pytest.CaptureFixture[str]):
    status, text = say(capsys, "runs", "list", "--json")
    listed = {run["run"]: run for run in json.loads(text)}
    assert (status, {name: run["status"] for name, run in listed.items()}) == (
        0,
        {"published": "finished", "begun": "interrupted"},
    )
    assert listed["published"]["bytes"] == find_run(far.runs, "published").size() > 1000
    status, text = say(capsys, "runs", "show", "published", "--json")
    assert (status, len(json.loads(text)["history"])) == (0, 1)
    status, text = say(capsys, "runs", "verify", "published")
    assert (status, "every bit agrees; every example used exactly once" in text) == (0, True)
    status, text = say(capsys, "runs", "cancel", "begun")
    assert (status, text) == (1, "atelier: run begun is not running: it is interrupted\n")
    with find_run(far.runs, "begun").held():
        assert "stops after the round at hand" in say(capsys, "runs", "pause", "begun")[1]
        assert say(capsys, "runs", "delete", "begun")[0] == 1
    status, text = say(capsys, "data", "delete", "blobs")
    assert (status, "run begun is trained on blobs" in text) == (1, True)
    assert "run begun is deleted" in say(capsys, "runs", "delete", "begun")[1]
    assert [run.name for run in all_runs(far.runs)] == ["published"]
    assert say(capsys, "runs", "show", "begun") == (1, f"atelier: there is no run 'begun' in {far.runs}\n")


def test_old_runs_are_pruned_and_leftovers_cleaned(
    far: Home, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    class Later(datetime):
        @classmethod
        def now(cls, tz=None):
            return datetime.now(UTC) + timedelta(days=9)

    monkeypatch.setattr("service.runs.housekeeping.datetime", Later)
    status, text = say(capsys, "runs", "prune", "--older-than", "8d", "--json")
    assert (status, list(json.loads(text)["runs"])) == (0, ["published"])
    assert [run.name for run in all_runs(far.runs)] == ["begun"]
    assert [model["version"] for model in json.loads(say(capsys, "models", "list", "--json")[1])] == [1]
    assert isinstance(far.runs, Address)
    Bucket(far.runs / "half").put("deleted", b"")
    Bucket(far.runs / "half").put("log/00000000.jsonl", b"a line\n")
    status, text = say(capsys, "clean", "--json")
    assert (status, json.loads(text)["folders"][f"{far.runs}/half"]) == (0, 7)
    assert Bucket(far.runs).folders() == ["begun"]


@pytest.mark.parametrize("words", [["runs", "list"], ["runs", "show", "any"], ["train"]])
def test_a_storage_that_is_away_is_told_in_one_line(
    words: list[str], home: Home, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    for patience in ("PATIENCE_S", "MORE_PATIENCE_S"):
        monkeypatch.setattr(f"service.storage.bucket.{patience}", 1.0)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "any")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("ATELIER_RUNS", "s3://any/runs")
    status, text = say(capsys, *words)
    assert (status, "can't be reached at http://127.0.0.1:9" in text, text.count("\n")) == (1, True, 1)


@pytest.mark.slow
def test_the_default_training_in_a_bucket_ends_in_the_default_s_bits_and_forks_and_resumes(
    object_storage: str, tmp_path: Path
):
    place = new_bucket(object_storage, f"bucket-{uuid4().hex[:12]}", "home")

    def run(*words: str) -> str:
        done = atelier(*words, home=tmp_path, timeout=550, ATELIER_HOME=place, ATELIER_LOCAL=str(tmp_path / "local"))
        assert done.returncode == 0, done.stderr
        return done.stdout

    trained = json.loads(run("train", "--json"))
    assert trained["digest"].startswith(DEFAULT_DIGEST)
    assert json.loads(run("runs", "resume", trained["run"], "--json"))["digest"] == trained["digest"]
    forked = json.loads(run("train", "--fork", trained["run"], "--epochs", "1", "--json"))
    assert forked["run"] != trained["run"]
    assert not (tmp_path / "local" / "runs").exists()
