"""A run whose loss is that of guessing says so while it trains."""

import json
from pathlib import Path

import pytest

from service.config import from_preset
from service.home import Home
from service.runs import Entry, RunFolder
from service.training.evaluate import evaluate_run
from service.training.plateau import plateau_notice
from service.training.publish import publish_run
from service.training.resume import resume_run
from service.training.start import start_run
from tests.jobs import blobs_store, small

GUESSING = 2.303
LENET = from_preset({"epochs": 40})


def notice(*losses: float, epochs: int = 40) -> str:
    return plateau_notice([{"train_loss": loss} for loss in losses], GUESSING, from_preset({"epochs": epochs}), 24)


@pytest.mark.parametrize(
    "losses",
    [
        (2.3,) * 15,  # many begin on a plateau
        (2.41, 2.32, 2.31, 2.2),
        (2.41, 2.32, 2.2, 2.31),  # one epoch may slip back
        (2.3, 1.0, 0.5, 0.3),
    ],
)
def test_a_run_that_learns_or_has_just_begun_is_left_alone(losses: tuple[float, ...]):
    assert notice(*losses) == ""


def test_a_run_that_stays_on_the_plateau_is_noticed_with_what_to_change():
    assert notice(*[2.306] * 16).startswith(
        "after epoch 16 of 40 the train loss, 2.306, is still that of guessing (2.303); take more steps: --epochs 84"
    )
    assert notice(*[2.306] * 4, epochs=10).startswith("after epoch 4 of 10")
    assert notice(*[2.306] * 41, epochs=1000) == ""
    assert notice(*[2.306] * 42, epochs=1000).startswith("after epoch 42 of 1000"), "these are 1,008 steps"


def test_a_run_that_fell_back_is_noticed_as_such():
    assert notice(2.2, 0.5, 0.012, 2.31, 2.304).startswith(
        "after epoch 5 of 40 the train loss, 2.304, has gone back to that of guessing (2.303), after 0.012 in epoch 3; "
        "train with a lower learning rate, such as --lr 0.3"
    )


def test_nothing_is_said_where_the_loss_of_guessing_is_not_known():
    assert plateau_notice([{"train_loss": 2.303}] * 9, 0.0, LENET, 24) == ""


def test_it_is_logged_once_and_the_model_says_so_where_the_training_ends(home: Home, tmp_path: Path, executor_of):
    blobs_store(home, tmp_path / "idx")
    executor, entries = executor_of(2), list[Entry]()
    config = from_preset(small(epochs=4, optimizer={"lr": 1e-6}))
    trained = start_run(home, executor, "stuck", config, entries.append)
    (noticed,) = [entry for entry in entries if entry["kind"] == "plateau"]
    assert (noticed["epoch"], noticed["why"][:21]) == (1, "after epoch 2 of 4 th")
    log = RunFolder.open(home.runs, "stuck").log
    lines = log.read_text().splitlines(keepends=True)
    assert json.loads(lines[-1])["kind"] == "end"
    log.write_text("".join(lines[:-3]))  # as if killed in the last epoch
    again = list[Entry]()
    assert resume_run(home, executor, "stuck", again.append).digest == trained.digest
    assert again
    assert not [entry for entry in again if entry["kind"] == "plateau"]
    published = publish_run(home, trained, evaluate_run(home, executor, "stuck"))
    assert published.at_chance is True
    assert published.warnings is not None
    assert published.warnings[0].startswith("it is no better than guessing: test accuracy ")


def test_a_run_that_learns_has_neither_notice_nor_warning(home: Home, tmp_path: Path, executor_of):
    blobs_store(home, tmp_path / "idx")
    executor, entries = executor_of(2), list[Entry]()
    trained = start_run(home, executor, "learns", from_preset(small(epochs=4)), entries.append)
    assert "plateau" not in {entry["kind"] for entry in entries}
    published = publish_run(home, trained, evaluate_run(home, executor, "learns"))
    assert (published.at_chance, published.warnings) == (None, None)
