import json
from hashlib import sha256
from pathlib import Path

import pytest

from service.errors import RunError
from service.runs.log import RoundLog, entries, tail


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
