"""The home, where it can't be one."""

import os
from collections import namedtuple
from pathlib import Path

import pytest

from service import home as module
from service.errors import AtelierError, InvalidInput
from service.home import Home


def test_a_disk_with_hardly_any_room_is_told_before_anything_is_begun(home: Home, monkeypatch: pytest.MonkeyPatch):
    usage = namedtuple("usage", "free")
    monkeypatch.setattr(module, "disk_usage", lambda path: usage(module.LEAST_FREE_BYTES - 1))
    with pytest.raises(AtelierError, match=r"can't write to .*: No space left on device; set ATELIER_HOME"):
        home.prepare()
    monkeypatch.setattr(module, "disk_usage", lambda path: usage(module.LEAST_FREE_BYTES))
    home.prepare()


@pytest.mark.parametrize(("flags", "words"), [(os.ST_RDONLY, "Read-only file system"), (0, "Permission denied")])
def test_a_home_that_cannot_be_written_says_why(home: Home, monkeypatch: pytest.MonkeyPatch, flags: int, words: str):
    """As root, who may write anywhere but on a mount that is read-only, these tests have to play both."""
    mount = namedtuple("mount", "f_flag")
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    monkeypatch.setattr(os, "statvfs", lambda path: mount(flags))
    with pytest.raises(AtelierError, match=f"can't write to .*: {words}; set ATELIER_HOME"):
        home.prepare()


def test_a_home_in_a_bucket_holds_data_runs_and_models_and_a_folder_the_rest(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    for name in ("ATELIER_MODELS", "ATELIER_DATA", "ATELIER_RUNS", "ATELIER_LOCAL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("ATELIER_HOME", "s3://bucket/prefix/")
    home = Home.from_environment()
    assert (str(home.data), str(home.runs), str(home.models)) == (
        "s3://bucket/prefix/data",
        "s3://bucket/prefix/runs",
        "s3://bucket/prefix/models",
    )
    assert home.root == Path("~/.atelier").expanduser()
    monkeypatch.setenv("ATELIER_LOCAL", str(tmp_path))
    monkeypatch.setenv("ATELIER_MODELS", "s3://models")
    monkeypatch.setenv("ATELIER_DATA", str(tmp_path / "data"))
    home = Home.from_environment()
    assert (home.root, home.sweeps, home.data) == (tmp_path, tmp_path / "sweeps", tmp_path / "data")
    assert (home.models, str(home.runs)) == ("s3://models", "s3://bucket/prefix/runs")


def test_runs_alone_may_lie_elsewhere(monkeypatch: pytest.MonkeyPatch, home: Home, tmp_path: Path):
    monkeypatch.setenv("ATELIER_RUNS", "s3://bucket/runs")
    elsewhere = Home.from_environment()
    assert (str(elsewhere.runs), elsewhere.data, elsewhere.models) == ("s3://bucket/runs", home.data, home.models)
    monkeypatch.setenv("ATELIER_RUNS", str(tmp_path / "runs"))
    assert Home.from_environment().runs == tmp_path / "runs"
    for name in ("ATELIER_RUNS", "ATELIER_HOME"):
        monkeypatch.setenv(name, "ftp://host/runs")
        with pytest.raises(InvalidInput, match=r"lie in a folder or at s3://bucket/prefix, got 'ftp://host/runs'"):
            Home.from_environment()
