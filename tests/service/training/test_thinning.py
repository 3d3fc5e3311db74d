"""Checkpoints that are thinned out while a run trains; what is needed stays, and the bits are the same."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.home import Home
from service.rounds.serial_executor import SerialExecutor
from service.runs import RunFolder
from service.training import thinning
from service.training.evaluate import evaluate_trained
from service.training.history import final_checkpoint, scores_of
from service.training.loop import advance
from service.training.publish import publish_run
from service.training.resume import recorded_job, resume_run
from service.training.start import create_run, start_run
from service.training.thinning import expendable, kept_every
from service.training.verify import damages, verify_run
from tests.service.training.noisy import noisy_store, overfitting


@pytest.fixture
def noisy(home: Home, tmp_path: Path) -> Home:
    noisy_store(home, tmp_path / "idx")
    return home


def ends(folder: RunFolder) -> dict[int, int]:
    """How many rounds were done at the end of each epoch."""
    return {entry["epoch"]: entry["rounds_done"] for entry in folder.entries() if entry["kind"] == "epoch"}


def test_the_newest_the_best_and_every_nth_stay(noisy: Home):
    given = overfitting(keep="best", keep_checkpoints=4)
    trained = start_run(noisy, SerialExecutor(), "run", given, lambda entry: None)
    folder = RunFolder.open(noisy.runs, "run")
    done = ends(folder)
    assert trained.epoch == 8
    stay = {3, 7, 11} | {8} | {10, 11}
    assert folder.checkpoints.numbers() == sorted((done[epoch] for epoch in stay), reverse=True)
    assert list(damages(folder)) == []
    assert sum(check.same for check in verify_run(folder, recorded_job(noisy, folder))) == max(done.values())


def test_every_epoch_has_its_figures_though_its_checkpoint_is_gone(noisy: Home, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(thinning, "KEPT_BYTES", 100_000)
    trained = start_run(noisy, SerialExecutor(), "run", overfitting(holdout=0), lambda entry: None)
    folder = RunFolder.open(noisy.runs, "run")
    assert len(folder.checkpoints.numbers()) < 12
    assert set(scores_of(folder)) == set(range(12))
    publish_run(noisy, trained, evaluate_trained(noisy, SerialExecutor(), trained))


def test_small_runs_keep_every_epoch(noisy: Home):
    start_run(noisy, SerialExecutor(), "run", overfitting(epochs=5), lambda entry: None)
    folder = RunFolder.open(noisy.runs, "run")
    assert folder.checkpoints.numbers() == sorted(ends(folder).values(), reverse=True)
    assert kept_every(overfitting(epochs=10), 61_706) == 1
    assert kept_every(overfitting(epochs=10), 46_800_000) == 3  # AlexNet: 0.56 GB each, 5.6 GB together


def test_a_run_that_is_thinned_goes_on_from_anywhere_to_the_same_bits(noisy: Home):
    given = overfitting(keep="best", keep_checkpoints=100)
    whole = start_run(noisy, SerialExecutor(), "whole", given, lambda entry: None)
    for stop_after in (5, 12, 31):
        folder, job = create_run(noisy, SerialExecutor(), given, f"stopped-{stop_after}")
        entries = advance(SerialExecutor(), folder, job)
        for _ in range(stop_after):
            next(entries)
        entries.close()
        assert resume_run(noisy, SerialExecutor(), folder.name, lambda entry: None).digest == whole.digest
        assert final_checkpoint(folder).state.digest == final_checkpoint(RunFolder(noisy.runs / "whole")).state.digest


@given(st.sets(st.integers(1, 60)), st.integers(1, 9), st.sets(st.integers(0, 12)))
def test_what_goes_is_neither_new_nor_an_nth_nor_unmeasured(there: set[int], every: int, measured: set[int]):
    epochs = {epoch: 5 * (epoch + 1) for epoch in range(12)}
    newest_first = sorted(there, reverse=True)
    gone = expendable(newest_first, epochs, every, measured)
    assert not set(gone) & set(newest_first[:2])
    for number in gone:
        if number % 5 == 0:
            assert (number // 5) % every != 0
            assert number // 5 - 1 in measured


def test_checkpoints_within_epochs_go_and_those_of_epochs_stay(noisy: Home, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("service.training.loop.CHECKPOINT_SECONDS", 0)
    start_run(noisy, SerialExecutor(), "run", overfitting(epochs=5), lambda entry: None)
    folder = RunFolder.open(noisy.runs, "run")
    within = set(folder.checkpoints.numbers()) - set(ends(folder).values())
    assert set(ends(folder).values()) <= set(folder.checkpoints.numbers())
    assert len(within) <= 2
    assert max(ends(folder).values()) > 9
