import json
import os
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path

import pytest

from service.errors import RunError
from service.runs.log import RoundLog, entries, first_entry, tail


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "rounds.jsonl"
    with RoundLog(path) as log:
        for number in range(3):
            log.append("round", round=number, loss=1 / (number + 1))
    return path


def test_each_line_carries_the_hash_of_the_one_before(path: Path):
    lines = path.read_bytes().splitlines(keepends=True)
    assert json.loads(lines[0])["previous"] == "0" * 64
    assert json.loads(lines[2])["previous"] == sha256(lines[1]).hexdigest()
    assert [entry["round"] for entry in entries(path)] == [0, 1, 2]


def test_new_lines_come_once_and_whole(path: Path):
    first, position = tail(path, 0)
    assert [entry["round"] for entry in first] == [0, 1, 2]
    with path.open("ab") as file:
        file.write(b'{"kind":"rou')
    assert tail(path, position) == ([], position)
    with path.open("ab") as file:
        file.write(b'nd","round":3}\n')
    later, position = tail(path, position)
    assert [entry["round"] for entry in later] == [3]
    path.write_bytes(path.read_bytes() + b"spoiled\n")
    with pytest.raises(RunError, match="damaged"):
        tail(path, position)


@pytest.mark.parametrize("torn", [b'{"kind":"rou', b"{}", b"\x00\x00\x00"])
def test_a_torn_last_line_is_dropped_and_the_log_goes_on(path: Path, torn: bytes):
    whole = path.read_bytes()
    path.write_bytes(whole + torn)
    assert len(list(entries(path))) == 3
    with RoundLog(path) as log:
        log.append("round", round=3)
    assert path.read_bytes().startswith(whole)
    assert [entry["round"] for entry in entries(path)] == [0, 1, 2, 3]


@pytest.mark.parametrize("line", [0, 1])
def test_an_altered_line_breaks_the_chain(path: Path, line: int):
    lines = path.read_bytes().splitlines(keepends=True)
    lines[line] = lines[line].replace(b'"loss":', b'"lost":')
    path.write_bytes(b"".join(lines))
    with pytest.raises(RunError, match="chain is broken"):
        list(entries(path))
    with pytest.raises(RunError, match="chain is broken"):
        RoundLog(path)


def test_a_removed_line_breaks_the_chain(path: Path):
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(lines[0] + lines[2])
    with pytest.raises(RunError, match="chain is broken"):
        list(entries(path))


def test_a_log_that_is_not_there_is_empty(tmp_path: Path):
    assert list(entries(tmp_path / "rounds.jsonl")) == []


def test_a_line_is_the_entry_that_append_returns(path: Path):
    text = "a line may hold \u2028, and ü"
    before = datetime.now(UTC)
    with RoundLog(path) as log:
        entry = log.append("epoch", epoch=1, text=text)
    assert {name: entry[name] for name in ("kind", "epoch", "text")} == {"kind": "epoch", "epoch": 1, "text": text}
    at = datetime.fromisoformat(entry["at"])
    assert at.utcoffset() == timedelta(0)
    assert before <= at <= datetime.now(UTC)
    whole = json.dumps(entry, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert path.read_bytes().endswith(b"\n" + whole.encode() + b"\n")
    assert list(entries(path))[-1] == entry
    assert tail(path, 0)[0][-1] == entry


def test_a_line_is_on_the_disk_when_append_returns(path: Path, monkeypatch: pytest.MonkeyPatch):
    synced: list[bytes] = []
    monkeypatch.setattr(os, "fsync", lambda handle: synced.append(os.pread(handle, 1 << 20, 0)))
    with RoundLog(path) as log:
        monkeypatch.setattr(os, "pread", lambda *_: path.read_bytes())
        log.append("round", round=3)
        assert [content.count(b"\n") for content in synced] == [4]
        assert path.read_bytes().count(b"\n") == 4


def test_whoever_may_not_write_writes_nothing(path: Path):
    calls: list[int] = []

    def lease() -> None:
        calls.append(path.read_bytes().count(b"\n"))
        if len(calls) == 3:
            raise PermissionError

    with RoundLog(path, lease) as log:
        log.append("round", round=3)
        before = path.read_bytes()
        with pytest.raises(PermissionError):
            log.append("round", round=4)
        assert path.read_bytes() == before
        log.append("round", round=5)
    assert calls == [3, 3, 4, 4]
    assert [entry["round"] for entry in entries(path)] == [0, 1, 2, 3, 5]


def test_a_log_is_closed_behind_its_context(path: Path):
    with RoundLog(path) as log:
        pass
    with pytest.raises(ValueError, match="closed file"):
        log.append("round")


def test_a_line_that_breaks_the_chain_is_shown(path: Path):
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(lines[0] + lines[2])
    for call in (RoundLog, lambda path: list(entries(path))):
        with pytest.raises(RunError) as refused:
            call(path)
        assert str(refused.value) == f"{path}: the chain is broken at the line that begins with {lines[2][:40]!r}"


@pytest.mark.parametrize("line", [b"spoiled\n", b'{"kind":"round"}\n', b"[1]\n", b"7\n", b"\n"])
def test_a_line_that_is_no_entry_breaks_the_chain(path: Path, line: bytes):
    path.write_bytes(path.read_bytes() + line)
    with pytest.raises(RunError, match="chain is broken"):
        list(entries(path))


def test_the_first_entry_can_be_read_by_itself(path: Path):
    assert first_entry(path) == next(entries(path))
    path.write_bytes(b"")
    with pytest.raises(RunError) as refused:
        first_entry(path)
    assert str(refused.value) == f"{path} has no entry yet"


def test_the_tail_begins_behind_a_position(path: Path):
    lines = path.read_bytes().splitlines(keepends=True)
    first = len(lines[0])
    found, position = tail(path, first)
    assert [entry["round"] for entry in found] == [1, 2]
    assert position == path.stat().st_size
    assert tail(path, position) == ([], position)


def test_the_tail_of_a_log_that_is_not_there_is_empty(tmp_path: Path):
    assert tail(tmp_path / "rounds.jsonl", 17) == ([], 17)


def test_a_tail_that_is_damaged_is_told_with_its_file(path: Path):
    position = path.stat().st_size
    path.write_bytes(path.read_bytes() + b"spoiled\n")
    with pytest.raises(RunError) as refused:
        tail(path, position)
    assert str(refused.value).startswith(f"{path} is damaged: ")
