"""One coordinator at a time, also where file locks don't work; a paused one notices that it was replaced."""

import errno
import fcntl
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from threading import Semaphore

import pytest

import service.runs.lease
from service.errors import Conflict
from service.runs.folder_lease import current_lease, is_held, lease_on
from service.runs.holder import Holder

HOLDER = """
import errno, fcntl, sys
from pathlib import Path
from threading import Semaphore

folder, mount, lease_s = Path(sys.argv[1]), sys.argv[2], float(sys.argv[3])

def flock(file, operation):
    if mount != "excludes nobody":
        raise OSError(getattr(errno, mount), mount)

if mount != "local":
    fcntl.flock = flock

import service.runs.lease
from service.errors import Conflict
from service.runs.folder_lease import lease_on
from service.runs.log import RoundLog

service.runs.lease.LEASE_SECONDS, service.runs.lease.RENEW_SECONDS = lease_s, lease_s / 5
with lease_on(folder) as lease, RoundLog(folder / "rounds.jsonl", before_write=lease.check) as log:
    print(lease.number, flush=True)
    for _ in sys.stdin:
        try:
            log.append("round")
            print("written", flush=True)
        except Conflict as conflict:
            print(conflict, flush=True)
"""
"""Holds the lease on a folder, and writes a line to its log for each line of its input."""

MOUNTS = ("ENOLCK", "EOPNOTSUPP", "ENOSYS", "excludes nobody")
"""What `flock` answers, or does, on file systems without locks."""


@contextmanager
def holder(folder: Path, mount: str, lease_s: float = 15.0) -> Iterator[subprocess.Popen]:
    """Another process that holds the lease."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(folder), mount, str(lease_s)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "1\n"
        yield process
    finally:
        process.kill()
        process.communicate()


def ask(process: subprocess.Popen) -> str:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write("write\n")
    process.stdin.flush()
    return str(process.stdout.readline()).strip()


def simulate(mount: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def flock(file: int, operation: int) -> None:
        if mount != "excludes nobody":
            raise OSError(getattr(errno, mount), mount)

    if mount != "local":
        monkeypatch.setattr(fcntl, "flock", flock)


@pytest.fixture(params=("local", *MOUNTS))
def mount(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    simulate(request.param, monkeypatch)
    return str(request.param)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    (tmp_path / "run").mkdir()
    return tmp_path / "run"


def take(run: Path) -> int:
    with lease_on(run) as lease:
        return lease.number


def test_a_second_process_is_refused_and_takes_over_at_once_where_the_first_is_killed(run: Path, mount: str):
    assert not is_held(run)
    with holder(run, mount) as first:
        assert is_held(run)
        with pytest.raises(Conflict, match="run run is being worked on by another process"):
            take(run)
        assert ask(first) == "written"
        first.kill()
        first.wait()
        assert not is_held(run)
        assert take(run) == 2


def test_a_container_that_was_killed_holds_nothing_where_locks_work(run: Path, monkeypatch: pytest.MonkeyPatch):
    with holder(run, "local") as process:
        process.kill()
        process.wait()
    record = current_lease(run / "lease")
    assert record is not None
    elsewhere = replace(record, holder=replace(record.holder, namespace="pid:[1]"))
    assert not elsewhere.is_free("unavailable")  # nobody here can see that it is gone
    (run / "lease" / str(record.number)).write_text(json.dumps(asdict(elsewhere)))
    assert not is_held(run)
    assert take(run) == 2
    (run / "lease" / "2").write_text(json.dumps(asdict(replace(elsewhere, number=2))))
    simulate("excludes nobody", monkeypatch)
    assert is_held(run)


def test_a_lease_that_was_released_is_followed_by_the_next_number(run: Path, mount: str):
    assert [take(run) for _ in range(3)] == [1, 2, 3]
    assert [path.name for path in (run / "lease").iterdir()] == ["3"]
    assert not is_held(run)


def test_a_paused_process_is_replaced_and_writes_nothing_when_it_is_back(
    run: Path, mount: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(service.runs.lease, "LEASE_SECONDS", 1.0)
    monkeypatch.setattr(service.runs.lease, "CLOCK_SKEW_SECONDS", 1.0)
    with holder(run, mount, lease_s=1.0) as paused:
        assert ask(paused) == "written"
        written = (run / "rounds.jsonl").read_bytes()
        paused.send_signal(signal.SIGSTOP)
        try:
            assert _take_when_stale(run) == 2
        finally:
            paused.send_signal(signal.SIGCONT)
        assert "was taken over by another process" in ask(paused)
        assert (run / "rounds.jsonl").read_bytes() == written


def _take_when_stale(run: Path) -> int:
    """The number that the next process gets, once the lease has not been renewed for its time."""
    while True:
        try:
            return take(run)
        except Conflict:
            continue


def test_a_holder_on_another_machine_is_watched(run: Path, monkeypatch: pytest.MonkeyPatch):
    simulate("ENOLCK", monkeypatch)
    monkeypatch.setattr(service.runs.lease, "LEASE_SECONDS", 3.0)
    monkeypatch.setattr(service.runs.lease, "RENEW_SECONDS", 0.1)
    elsewhere = Holder("other", "another boot", "its processes", 1, "0")
    monkeypatch.setattr(service.runs.lease, "this_process", lambda: elsewhere)
    with lease_on(run), pytest.raises(Conflict, match=r"another process \(number 1 on other\)"):
        take(run)
    last = current_lease(run / "lease")
    assert last is not None
    values = json.loads((run / "lease" / "1").read_text())
    (run / "lease" / "1").write_text(json.dumps(values | {"released": False}))  # as if its machine had lost power
    assert take(run) == 2


def test_one_of_many_gets_the_lease(run: Path, monkeypatch: pytest.MonkeyPatch):
    simulate("excludes nobody", monkeypatch)
    monkeypatch.setattr(service.runs.lease, "RENEW_SECONDS", 0.05)

    others_are_refused = Semaphore(0)

    def attempt(_: int) -> int:
        try:
            with lease_on(run) as lease:
                lease.check()
                for _ in range(7):
                    assert others_are_refused.acquire(timeout=60)
                return lease.number
        except Conflict:
            others_are_refused.release()
            return 0

    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(attempt, range(8))) == [0] * 7 + [1]


def test_a_lease_that_was_cut_short_is_taken_when_it_is_old(run: Path):
    (run / "lease").mkdir()
    (run / "lease" / "7").write_text('{"number":')
    os.utime(run / "lease" / "7", (0, 0))
    assert take(run) == 8
