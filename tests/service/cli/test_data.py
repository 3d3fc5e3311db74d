"""`atelier data`: what there is, one of it, and none of it any more."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from service.cli import command
from service.config import from_preset
from service.data import ingest
from service.home import Home
from service.runs import RunFolder
from tests.jobs import small
from tests.service.cli.test_wrong_use import NOTHING_RUNS
from tests.service.data.formats.sources import examples, write_folder

Say = Callable[..., tuple[int | str | None, str, str]]


@pytest.fixture
def say(home: Home, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Say:
    """Run `atelier data …` in this process: its status, and what it said."""
    home.prepare()
    write_folder(tmp_path / "insects", examples(50, colour=True))
    (tmp_path / "insects" / "README.md").write_text("# Insects\n")
    ingest(home, dataset="insects", source=tmp_path / "insects")

    def run(*words: str) -> tuple[int | str | None, str, str]:
        with pytest.raises(SystemExit) as left:
            command(NOTHING_RUNS, ["data", *words])
        return left.value.code, *capsys.readouterr()

    return run


def test_data_sets_are_listed_damaged_ones_too(say: Say, home: Home) -> None:
    home.store("torn").mkdir()
    status, text, _ = say("list")
    assert not status
    assert text.splitlines()[1].split()[:7] == ["insects", "8x8", "in", "colour", "3", "44", "6"]
    assert text.splitlines()[2].split() == ["torn", "damaged"]
    listed = json.loads(say("list", "--json")[1])
    assert [(each["name"], each.get("channels")) for each in listed] == [("insects", 3), ("torn", None)]


def test_one_is_shown_with_its_classes_and_where_it_comes_from(say: Say) -> None:
    text = say("show", "insects")[1]
    assert "from: insects: a folder of pictures" in text
    assert "test split: 10% of each class, drawn by seed 0" in text
    assert "bee       15     2" in text
    assert text.endswith("# Insects\n")
    shown = json.loads(say("show", "insects", "--json")[1])
    assert shown["examples"]["cat"] == {"train": 14, "test": 2}
    assert shown["about"]["preparation"]["mode"] == "rgb"
    assert say("show", "none")[::2] == (1, "atelier: there is no data set 'none' here (data sets: insects)\n")
    assert say("show", "../x")[0] == 2


def test_one_is_deleted_unless_a_run_needs_it(say: Say, home: Home) -> None:
    RunFolder.create(home.runs, "open", from_preset(small(dataset="insects")), None)
    status, _, message = say("delete", "insects")
    assert status == 1
    assert message == "atelier: run open is trained on insects, and has not finished: delete it with --force\n"
    assert say("delete", "insects", "--force")[1].startswith("data set insects is deleted: ")
    assert list(home.data.iterdir()) == []
    assert say("delete", "insects", "--force")[::2] == (1, "atelier: there is no data set 'insects' here\n")


def test_a_damaged_one_is_deleted(say: Say, home: Home) -> None:
    (home.store("insects") / "zarr.json").write_text("{")
    assert not say("delete", "insects")[0]
    assert say("list")[1] == "no data sets yet: bring one in with `atelier ingest`\n"
