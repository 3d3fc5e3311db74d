"""The comparison of grains that a session on a GPU makes, here on a CPU."""

from pathlib import Path

import pytest

from service.home import Home
from tests.gpu import grains
from tests.jobs import blobs_store


@pytest.mark.slow
def test_every_grain_and_every_kill_end_in_the_same_digest(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    blobs_store(home, tmp_path / "idx", train=3000)
    monkeypatch.setattr(grains.Home, "from_environment", lambda: home)
    monkeypatch.setattr(grains.span_window, "MAX_ROUNDS", grains.span_window.MAX_ROUNDS)  # put back afterwards
    assert grains.main(["--device", "cpu", "--model", "lenet", "--dataset", "blobs", "--epochs", "40"]) == 0
    said = capsys.readouterr().out
    assert len({line.split()[0] for line in said.splitlines()[:-1]}) == 1
    assert said.count("rounds in") == len(grains.CASES)
