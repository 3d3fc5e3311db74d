"""`atelier predict`: the classes of a picture, and what makes it unlike the training images."""

import json
from pathlib import Path

import pytest
from PIL import Image

from service.cli import command
from service.home import Home
from tests.garments import garments
from tests.service.cli.test_wrong_use import NOTHING_RUNS
from tests.service.models import publish


def test_a_picture_of_any_format_is_classified_and_a_blank_one_warned_of(
    home: Home, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    publish(home.models)
    Image.fromarray(garments(1)[0]).save(tmp_path / "garment.webp", lossless=True)
    Image.new("L", (50, 40)).save(tmp_path / "black.gif")
    found = {}
    for name in ("garment.webp", "black.gif"):
        with pytest.raises(SystemExit) as left:
            command(NOTHING_RUNS, ["predict", "lenet", str(tmp_path / name), "--json"])
        assert not left.value.code
        said = capsys.readouterr()
        found[name] = json.loads(said.out)
        assert [f"atelier: warning: {text}" for text in found[name]["warnings"]] == said.err.splitlines()
    assert found["garment.webp"]["warnings"] == []
    assert len(found["garment.webp"]["guesses"]) == 3
    assert "blank" in found["black.gif"]["warnings"][0]
