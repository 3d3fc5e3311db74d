"""One writer at a time, also on file systems without locks."""

import errno
import fcntl
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Lock

import pytest

import service.files
from service.files import locked


@pytest.fixture(params=["local", "ENOLCK", "EOPNOTSUPP", "ENOSYS"])
def mount(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    def flock(file: int, operation: int) -> None:
        raise OSError(getattr(errno, request.param), request.param)

    if request.param != "local":
        monkeypatch.setattr(fcntl, "flock", flock)


def test_one_at_a_time_and_all_in_the_end(tmp_path: Path, mount: None):
    alone, waits = Lock(), list[int]()

    def write(number: int) -> int:
        with locked(tmp_path / ".lock", on_wait=lambda: waits.append(number)):
            assert alone.acquire(blocking=False)
            alone.release()
            return number

    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(write, range(40))) == list(range(40))
    assert [path.name for path in tmp_path.iterdir()] == [".lock"]


def test_what_a_dead_process_left_is_removed_in_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def flock(file: int, operation: int) -> None:
        raise OSError(errno.ENOLCK, "no locks")

    monkeypatch.setattr(fcntl, "flock", flock)
    monkeypatch.setattr(service.files, "STALE_SECONDS", 1.0)
    (tmp_path / ".lock.held").mkdir()
    os.utime(tmp_path / ".lock.held", (0, 0))
    with locked(tmp_path / ".lock"):
        assert (tmp_path / ".lock.held").exists()
    assert not (tmp_path / ".lock.held").exists()


def test_other_errors_come_through(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def flock(file: int, operation: int) -> None:
        raise OSError(errno.EIO, "broken")

    monkeypatch.setattr(fcntl, "flock", flock)
    with pytest.raises(OSError, match="broken"), locked(tmp_path / ".lock"):
        pass
