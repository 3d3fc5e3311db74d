"""`atelier runs list`: the order of the runs, and columns that don't run together."""

import json
import os
from datetime import UTC, datetime

import pytest

from service.cli import command
from service.config import TrainConfig
from service.home import Home
from service.runs import RoundLog, RunFolder, all_runs
from tests.service.cli.test_wrong_use import NOTHING_RUNS


def begin(home: Home, run: str, at: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run on disk whose log begins at this hour."""

    class _Clock(datetime):
        @classmethod
        def now(cls, tz: object = None) -> datetime:
            return datetime.fromisoformat(f"2026-11-23T{at}:00+00:00")

    folder = RunFolder.create(home.runs, run, TrainConfig(epochs=2), None)
    with monkeypatch.context() as patch:
        patch.setattr("service.runs.chain.datetime", _Clock)
        with RoundLog(folder.log) as log:
            log.append("begin", rounds_done=0)


@pytest.fixture
def home_with_runs(home: Home, monkeypatch: pytest.MonkeyPatch) -> Home:
    """Three runs whose names sort in another order than their starts."""
    home.prepare()
    for run, at in (("20261123-090000-aaaa", "09:00"), ("bench-20261123-080000-bbbb-long", "08:00"), ("a", "10:00")):
        begin(home, run, at, monkeypatch)
    return home


def test_runs_are_listed_by_when_they_started(home_with_runs: Home) -> None:
    names = [folder.name for folder in all_runs(home_with_runs.runs)]
    assert names == ["a", "20261123-090000-aaaa", "bench-20261123-080000-bbbb-long"]


def test_a_run_without_a_log_counts_from_when_it_was_written(home_with_runs: Home) -> None:
    folder = RunFolder.create(home_with_runs.runs, "new", TrainConfig(), None)
    written = datetime(2026, 11, 23, 9, 30, tzinfo=UTC).timestamp()
    os.utime(folder.path / "config.json", (written, written))
    assert [each.name for each in all_runs(home_with_runs.runs)][:2] == ["a", "new"]


def test_columns_are_apart_whatever_the_length_of_a_name(
    home_with_runs: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        command(NOTHING_RUNS, ["runs", "list"])
    lines = capsys.readouterr().out.splitlines()
    status = lines[0].index("status")
    assert all(line[status - 2 : status] == "  " and line[status:].startswith("interrupted") for line in lines[1:])
    with pytest.raises(SystemExit):
        command(NOTHING_RUNS, ["runs", "list", "--json"])
    assert [run["started"][11:16] for run in json.loads(capsys.readouterr().out)] == ["10:00", "09:00", "08:00"]
