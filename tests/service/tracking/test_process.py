"""The process that follows a training, with a tracker of another package."""

import json
import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pytest

from service.config import from_preset
from service.errors import InvalidInput
from service.home import Home
from service.rounds.serial_executor import SerialExecutor
from service.runs import RunFolder, find_run
from service.tracking.base import TrackedRun
from service.tracking.process import tracked
from service.tracking.registry import check_trackers, names
from service.training.evaluate import evaluate_trained
from service.training.publish import publish_run
from service.training.start import start_run
from tests.commands import ROOT
from tests.jobs import blobs_store, small
from tests.object_storage import new_bucket
from tests.packages import install

SOURCE = '''
"""A tracker that writes to a file beside the runs."""
import json, os

def check():
    pass

def tracker(run, saved):
    return Lines(run)

class Lines:
    def __init__(self, run):
        self.path = run.home / "lines.jsonl"

    def say(self, *words):
        with self.path.open("a") as file:
            file.write(json.dumps(words) + "\\n")

    def add(self, entries):
        if os.path.exists(self.path.with_name("down")):
            raise OSError("the disk of the other tool is away")
        for entry in entries:
            self.say(entry["kind"])

    def publish(self, model, measured):
        self.say("model", model.label)

    def end(self, outcome):
        self.say("end of tracking", outcome)
'''


@pytest.fixture
def lines(home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Install the tracker, here and for processes that are started; the file that it writes."""
    install(tmp_path, monkeypatch, "liner", SOURCE, {"atelier.trackers": {"liner": "liner"}})
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}{os.pathsep}{ROOT}")
    blobs_store(home, tmp_path / "idx")
    return home.root / "lines.jsonl"


def read(path: Path) -> list[list[str]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_a_training_is_followed_to_its_model(home: Home, lines: Path):
    config, executor = from_preset(small(track="liner")), SerialExecutor()
    assert "liner" in names()
    with tracked(home, "followed", config) as track_model:
        trained = start_run(home, executor, "followed", config, lambda entry: None)
        published = publish_run(home, trained, evaluate_trained(home, executor, trained))
        track_model(f"{published.model}:{published.version}")
    logged = [[entry["kind"]] for entry in RunFolder.open(home.runs, "followed").entries()]
    assert read(lines) == [*logged, ["model", "mlp-blobs:1"], ["end of tracking", "finished"]]


def test_a_training_in_a_bucket_is_followed_too(object_storage: str, home: Home, lines: Path):
    places = {part: new_bucket(object_storage, f"{part}-{uuid4().hex[:12]}", part) for part in ("runs", "models")}
    far = replace(home, elsewhere=places["models"], runs_elsewhere=places["runs"])
    config, executor = from_preset(small(track="liner")), SerialExecutor()
    with tracked(far, "followed", config) as track_model:
        trained = start_run(far, executor, "followed", config, lambda entry: None)
        published = publish_run(far, trained, evaluate_trained(far, executor, trained))
        track_model(f"{published.model}:{published.version}")
    run = find_run(far.runs, "followed")
    logged = [[entry["kind"]] for entry in run.entries()]
    assert read(lines) == [*logged, ["model", "mlp-blobs:1"], ["end of tracking", "finished"]]
    assert '"published":"mlp-blobs:1"' in run.read_text("tracking/liner.json")
    assert TrackedRun(run, far.root).origin == f"{far.runs}/followed"
    assert TrackedRun(run, far.root).local == far.root / "tracking" / "followed"


def test_a_tracker_that_fails_costs_the_training_a_line(
    home: Home, lines: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("service.tracking.process.END_SECONDS", 240.0)
    (home.root / "down").touch()
    config = from_preset(small(track="liner"))
    with tracked(home, "followed", config):
        start_run(home, SerialExecutor(), "followed", config, lambda entry: None)
    assert RunFolder.open(home.runs, "followed").status() == "finished"
    *_, last = capfd.readouterr().err.splitlines()
    assert last == (
        "tracking with liner: the disk of the other tool is away; `atelier runs resume followed` sends what is missing"
    )
    (home.root / "down").unlink()
    with tracked(home, "followed", config):
        pass
    assert read(lines)[-1] == ["end of tracking", "finished"]


def test_what_a_killed_training_logged_is_sent_and_the_process_ends(home: Home, lines: Path):
    script = (
        "import os, signal, sys\n"
        "from service.config import from_preset\n"
        "from service.home import Home\n"
        "from service.rounds.serial_executor import SerialExecutor\n"
        "from service.tracking.process import tracked\n"
        "from service.training.start import start_run\n"
        "from tests.jobs import small\n"
        "def watch(entry):\n"
        "    if entry['kind'] == 'epoch':\n"
        "        os.kill(os.getpid(), signal.SIGKILL)\n"
        "home, config = Home.from_environment(), from_preset(small(track='liner'))\n"
        "with tracked(home, 'killed', config):\n"
        "    start_run(home, SerialExecutor(), 'killed', config, watch)\n"
    )
    assert subprocess.run([sys.executable, "-c", script], cwd=ROOT).returncode == -9
    deadline = time.monotonic() + 240
    while not lines.exists() or all(line[0] != "end of tracking" for line in read(lines)):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert read(lines)[-2:] == [["epoch"], ["end of tracking", "interrupted"]]


def test_a_name_that_no_tracker_has_is_refused():
    with pytest.raises(InvalidInput, match=r"^track must be one of .*mlflow, tensorboard.*got 'wandb'$"):
        check_trackers("tensorboard,wandb" if "tensorboardX" in sys.modules else "wandb")
