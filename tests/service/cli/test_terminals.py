"""What a terminal is shown while a run trains: as much as fits, no colours where none are wanted, nothing to a dumb one
but lines."""

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from pathlib import Path

import pytest

from service.home import Home
from service.rounds.serial_executor import SerialExecutor
from service.runs import RoundLog, RunFolder, find_run
from service.training.start import start_run
from tests.commands import ROOT
from tests.service.training.noisy import noisy_store, overfitting

FOLLOW = """
from service.cli.progress import progress
from service.home import Home
with progress(Home.from_environment(), "run"):
    pass
"""
COLOURS = re.compile(rb"\x1b\[[0-9;]*m")
CONTROLS = re.compile(rb"\x1b\[[0-9;?]*[A-Za-z]")


@pytest.fixture
def trained(home: Home, tmp_path: Path) -> Home:
    noisy_store(home, tmp_path / "idx")
    start_run(home, SerialExecutor(), "run", overfitting(epochs=2), lambda entry: None)
    return home


def shown(home: Home, columns: int, **environment: str) -> bytes:
    """All that a terminal of so many columns gets while a run is followed to its end."""
    leader, follower = pty.openpty()
    fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    own = {"ATELIER_HOME": str(home.root), "PYTHONPATH": str(ROOT), "TERM": "xterm-256color"}
    kept = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "COLUMNS", "FORCE_COLOR")}
    process = subprocess.Popen([sys.executable, "-c", FOLLOW], env={**kept, **own, **environment}, stderr=follower)
    os.close(follower)
    output = b""
    while True:
        try:
            output += os.read(leader, 65536)
        except OSError:  # the process has ended
            break
    os.close(leader)
    assert process.wait() == 0
    return output


@pytest.mark.parametrize("columns", [20, 60, 80, 200])
def test_the_bar_fits_into_the_terminal(trained: Home, columns: int):
    output = shown(trained, columns)
    bars = [CONTROLS.sub(b"", part).decode() for part in output.split(b"\r") if b"%" in part]
    assert bars
    assert max(len(bar.rstrip("\n")) for bar in bars) <= columns
    assert output.count(b"epoch   1") == 2  # its rounds and its evaluation


def test_without_colours_there_are_none(trained: Home):
    assert any(match != b"\x1b[0m" for match in COLOURS.findall(shown(trained, 100)))
    plain = COLOURS.findall(shown(trained, 100, NO_COLOR="1"))
    assert not [match for match in plain if re.search(rb"[34][0-9]", match)]


def test_a_dumb_terminal_gets_lines_alone(trained: Home):
    output = shown(trained, 80, TERM="dumb")
    assert b"\x1b" not in output
    assert b"epoch   2   loss" in output


def test_what_disturbs_many_rounds_of_an_epoch_is_told_once_and_counted(trained: Home):
    run = find_run(trained.runs, "run")
    assert isinstance(run, RunFolder)
    epoch = next(entry for entry in run.entries() if entry["kind"] == "epoch")
    with RoundLog(run.log) as log:
        for round_, why in ((7, "a worker lags behind"), (8, "a worker lags behind"), (9, "a worker left")):
            log.append("disturbed", round=round_, why=why, tasks=0)
        log.append(**{name: value for name, value in epoch.items() if name not in ("at", "previous")})
    told = shown(trained, 80, TERM="dumb").replace(b"\r", b"")
    assert told.count(b"round 7: a worker lags behind\nround 9: a worker left\nepoch") == 1
    assert told.count(b" 2 times: a worker lags behind\n") == 1
    assert b"times: a worker left" not in told


def test_output_that_nobody_reads_ends_a_listing_quietly(trained: Home):
    words = [sys.executable, "-m", "flows", "runs", "show", "run", "--json"]
    environment = {**os.environ, "ATELIER_HOME": str(trained.root), "PYTHONPATH": str(ROOT)}
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(words, env=environment, stdout=writer, stderr=subprocess.PIPE, timeout=240, check=False)
    os.close(writer)
    assert (done.returncode, done.stderr) == (1, b"")
