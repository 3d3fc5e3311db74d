"""A study that is killed goes on with what is missing."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from service.home import Home
from service.search.study import Cell, Study, outcomes_of
from tests.commands import ROOT
from tests.jobs import blobs_store, small

CELLS = (Cell("plain", 2, 4), Cell("default", 3, 4), Cell("start by the loss", 2, 4))
STUDY = Study({**small(holdout=50), "averaging": {}}, 2, 3, CELLS, CELLS[1:2])
PROGRAM = """
from flows.command import Flows
from service.config import ClusterConfig
from service.home import Home
from tests.flows.test_study import STUDY
flows = Flows()
print(flows.study(Home.from_environment(), STUDY, "tiny", ClusterConfig(workers=2)))
flows.end()
"""


def started(home: Home) -> "subprocess.Popen[str]":
    environment = {**os.environ, "ATELIER_HOME": str(home.root), "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM], env=environment, cwd=ROOT, stdout=subprocess.PIPE, text=True
    )


@pytest.mark.slow
def test_a_study_that_is_killed_goes_on_to_the_whole_report(home: Home, tmp_path: Path):
    blobs_store(home, tmp_path / "idx")
    first = started(home)
    trials = home.sweeps / "tiny-seed-0" / "trials"
    while first.poll() is None and not list(trials.glob("*.json")):
        time.sleep(0.05)
    first.kill()
    first.communicate()
    kept = {path: path.stat().st_mtime_ns for path in trials.glob("*.json")}
    assert kept
    second = started(home)
    out, _ = second.communicate(timeout=240)
    assert second.returncode == 0
    assert {path: path.stat().st_mtime_ns for path in kept} == kept
    outcomes = outcomes_of(home, "tiny", STUDY)
    assert [(one.cell, one.seed) for one in outcomes] == [(cell, seed) for seed in (0, 1) for cell in CELLS] + [
        (CELLS[1], 2)
    ]
    assert all(one.validation_accuracy is not None for one in outcomes)
    folder = home.root / "studies" / "tiny"
    assert Path(out.splitlines()[-1]) == folder
    assert (folder / "tables.md").read_text().count("| 2 |\n") == len(CELLS)
    report = {path.name: path.read_bytes() for path in folder.iterdir()}
    for path in folder.iterdir():
        path.unlink()
    third = started(home)  # as after a stop between the last training and the report
    assert third.wait(240) == 0
    third.communicate()
    assert {path.name for path in folder.iterdir()} == set(report)
    assert (folder / "outcomes.json").read_bytes() == report["outcomes.json"]
