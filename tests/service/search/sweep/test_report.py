"""The report of a sweep: table, picture, and what the gallery shows."""

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest

from service.search.sweep import Result, Sweep, SweepFolder, write_report
from service.search.sweep.coordinates import coordinates_picture
from service.search.sweep.spec import Range

SVG = "{http://www.w3.org/2000/svg}"
OVER = {"optimizer.lr": Range(low=0.01, high=1.0, log=True), "averaging.shards": [1, 2, 4]}


def result(trial: int, lr: float, shards: int, accuracy: float, epochs: int) -> Result:
    changes = {"optimizer.lr": lr, "averaging.shards": shards}
    rungs = {str(n): accuracy for n in (1, 3) if n <= epochs}
    return Result(trial, f"r{trial}", changes, "", 1.0, 0.5, 1.0, 0.5, 1000.0, 2.0, 0.4, accuracy, rungs)


RESULTS = [result(0, 0.01, 1, 0.1, 1), result(1, 0.1, 4, 0.9, 3), result(2, 1.0, 2, 0.6, 1)]


def test_the_best_trial_is_drawn_last_and_those_left_behind_are_dashed():
    picture = ElementTree.fromstring(coordinates_picture(RESULTS, OVER, "mine"))
    trials = [group for group in picture.iter(f"{SVG}g") if group.get("class") == "trial"]
    titles = [group.findtext(f"{SVG}title") for group in trials]
    assert titles[-1] == "trial 1: lr 0.1, shards 4: 0.9000 after 3 epochs"
    assert [group.find(f"{SVG}path").get("stroke-dasharray") is None for group in trials] == [False, False, True]
    heights = [float(dot.get("cy")) for dot in trials[-1].iter(f"{SVG}circle")]
    low, high = 336.0, 54.0
    assert heights == [pytest.approx((low + high) / 2), high, high]  # 0.1 is halfway between 0.01 and 1
    assert {"0.01", "0.1", "1", "2", "4", "0.900", "0.100"} <= {text.text for text in picture.iter(f"{SVG}text")}


def test_pictures_of_one_trial_of_words_and_of_nothing_can_be_drawn():
    assert coordinates_picture([], OVER, "mine") == ""
    one = Result(0, "r", {"model": "lenet", "augment.flip": True}, "", 1.0, 0.5, 1.0, 0.5, 1000.0, 2.0)
    picture = ElementTree.fromstring(coordinates_picture([one], {"model": ["lenet"], "augment.flip": [True]}, "<&>"))
    assert "lenet" in [text.text for text in picture.iter(f"{SVG}text")]


def test_the_report_has_table_and_picture_and_says_what_decided(tmp_path: Path):
    sweep = Sweep(base={"holdout": 9, "epochs": 3}, over=OVER, trials=3, halving=3, asynchronous=True)
    folder = SweepFolder.begin(tmp_path / "mine", sweep)
    assert "0 of 3 trials have figures" in write_report(folder, sweep)
    for one in RESULTS:
        folder.keep(one)
    markdown = write_report(folder, sweep)
    assert "asynchronous: which trials went on depended on which were measured first. 3 of 3" in markdown
    assert "![trials](data:image/svg+xml;base64," in markdown
    content = json.loads((folder.path / "report.json").read_text())
    assert [row["trial"] for row in content["rows"]] == [1, 2, 0]
    ElementTree.parse(folder.path / "report.svg")
    assert "![trials](report.svg)" in (folder.path / "report.md").read_text()
