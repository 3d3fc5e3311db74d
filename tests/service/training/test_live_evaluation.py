"""Epochs that are evaluated while a run trains: the same choice and the same end, however late the figures come."""

import json
import os
import shutil
import signal
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from service.cluster.dask_executor import DaskExecutor
from service.cluster.local_cluster import open_cluster
from service.config import ClusterConfig, TrainConfig
from service.data import ingest
from service.errors import Cancelled, InvalidInput
from service.files import canonical_json
from service.home import Home
from service.registry import Registry
from service.rounds.executor import Executor
from service.rounds.job import Job
from service.rounds.plan import plan_for
from service.rounds.serial_executor import SerialExecutor
from service.runs import Entry, RoundLog, RunFolder
from service.training import decided_rounds
from service.training.epoch_scores import EpochScores, score_epoch
from service.training.evaluate import evaluate_trained
from service.training.history import published_checkpoint
from service.training.loop import advance
from service.training.publish import publish_run
from service.training.resume import recorded_job, reopen_run, resume_run
from service.training.start import create_run, start_run
from service.training.verify import damages, verify_run
from tests.clusters import process_of
from tests.jobs import choose_for, serial_results
from tests.service.training.noisy import noisy_store, overfitting

PATIENCE = {"keep": "best", "patience": 4}
BEST, LAST = 2, 6
"""What these figures lead to with a patience of 4; `test_the_choice_is_that_of_the_figures` works it out."""


@pytest.fixture
def noisy(home: Home, tmp_path: Path) -> Home:
    noisy_store(home, tmp_path / "idx")
    return home


def train(home: Home, executor: Executor, name: str, **given: Any) -> RunFolder:
    folder, job = create_run(home, executor, overfitting(**given), name)
    for _ in advance(executor, folder, job):
        pass
    return folder


def outcome(folder: RunFolder) -> tuple[int, int, str, str]:
    """The best epoch, the last one, and the digests after both."""
    *_, end = folder.entries()
    epochs = [entry["epoch"] for entry in folder.entries() if entry["kind"] == "epoch"]
    assert epochs == list(range(len(epochs)))
    return end["best_epoch"], epochs[-1], end["best_digest"], end["digest"]


def figures(home: Home, config: TrainConfig) -> tuple[list[EpochScores], list[str]]:
    """The figures after every epoch of a training, and the digests, from one process without any log."""
    job = Job(config, ingest(home, dataset="blobs"), choose_for(config))
    ends = [r for r in serial_results(job) if job.plan.ends_epoch(r.round)]
    return [score_epoch(job, r.state.replica.theta) for r in ends if r.state], [r.digest for r in ends]


def test_the_choice_is_that_of_the_figures(noisy: Home, executor_of):
    scores, digests = figures(noisy, overfitting())
    merits = [(s.validation.accuracy, -s.validation.loss) for s in scores if s.validation]
    last = next(e for e in range(12) if e - max(range(e + 1), key=lambda k: merits[k]) == 4)
    best = max(range(last + 1), key=lambda k: merits[k])
    assert (best, last) == (BEST, LAST)
    folder = train(noisy, executor_of(2), "run", **PATIENCE)
    assert outcome(folder) == (BEST, LAST, digests[BEST], digests[LAST])
    logged = [EpochScores.from_entry(e) for e in folder.entries() if e["kind"] == "evaluation"]
    assert logged == scores[: LAST + 1]
    assert published_checkpoint(folder).state.digest == digests[BEST]


def test_any_executor_chooses_the_same(noisy: Home, executor_of):
    executors = [SerialExecutor(), *(executor_of(n) for n in (1, 2, 3)), DaskExecutor(executor_of(2).cluster, "span")]
    found = {outcome(train(noisy, executor, f"run-{n}", **PATIENCE)) for n, executor in enumerate(executors)}
    assert len(found) == 1
    without = {outcome(train(noisy, executor_of(n), f"best-{n}", keep="best"))[:2] for n in (1, 2)}
    assert without == {(8, 11)}


class Late(SerialExecutor):
    """Its evaluations come back only after so many looks at them."""

    def __init__(self, looks: int) -> None:
        self.looks = looks

    def begin(self, function: Callable[..., Any], arguments: Sequence[tuple[Any, ...]]) -> Any:
        return LateCalls(self.looks, super().begin(function, arguments))


class LateCalls:
    def __init__(self, looks: int, calls: Any) -> None:
        self.looks, self.calls = looks, calls

    def poll(self) -> Any:
        self.looks -= 1
        return self.calls.poll() if self.looks < 0 else None

    def cancel(self) -> None:
        pass


@pytest.mark.parametrize("looks", [1, 3, 7, 1000])
def test_late_figures_leave_no_round_too_many(noisy: Home, looks: int, monkeypatch: pytest.MonkeyPatch):
    at_once = outcome(train(noisy, SerialExecutor(), "at-once", **PATIENCE))
    assert outcome(train(noisy, Late(looks), "late", **PATIENCE)) == at_once
    monkeypatch.setattr(decided_rounds, "HELD_BYTES", 0)
    assert outcome(train(noisy, Late(looks), "held", **PATIENCE)) == at_once


def test_a_run_stopped_anywhere_chooses_the_same(noisy: Home):
    whole = train(noisy, SerialExecutor(), "whole", **PATIENCE)
    for stop_after in range(1, len(list(whole.entries())), 3):
        folder, job = create_run(noisy, SerialExecutor(), overfitting(**PATIENCE), f"stopped-{stop_after}")
        entries = advance(Late(3), folder, job)
        for _ in range(stop_after):
            next(entries)
        entries.close()
        resume_run(noisy, SerialExecutor(), folder.name, lambda entry: None)
        assert outcome(folder) == outcome(whole)


def test_a_run_cancelled_while_rounds_are_held_back_stops_and_goes_on(noisy: Home):
    whole = train(noisy, SerialExecutor(), "whole", **PATIENCE)
    folder, job = create_run(noisy, SerialExecutor(), overfitting(**PATIENCE), "run")
    entries = advance(Late(1000), folder, job)
    while (entry := next(entries))["kind"] != "epoch" or entry["epoch"] < 4:  # that one takes place in any case
        pass
    folder.request("pause")
    with pytest.raises(Cancelled):
        list(entries)
    assert folder.status() == "paused"
    resume_run(noisy, SerialExecutor(), "run", lambda entry: None)
    assert outcome(folder) == outcome(whole)


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
def test_a_worker_that_dies_or_freezes_while_evaluations_run_changes_nothing(noisy: Home, number: signal.Signals):
    whole = train(noisy, SerialExecutor(), "whole", **PATIENCE)
    with open_cluster(ClusterConfig(workers=2, worker_type="processes")) as cluster:
        executor, stopped = DaskExecutor(cluster), []
        folder, job = create_run(noisy, executor, overfitting(**PATIENCE), "run")
        for entry in advance(executor, folder, job):
            if entry["kind"] == "epoch" and entry["epoch"] == 1:
                stopped.append(process_of(cluster, cluster.workers[0]))
                os.kill(stopped[0], number)
        if number == signal.SIGSTOP:
            os.kill(stopped[0], signal.SIGCONT)
    assert outcome(folder) == outcome(whole)


def test_a_lost_checkpoint_of_the_best_epoch_is_computed_again(noisy: Home):
    folder = train(noisy, SerialExecutor(), "run", **PATIENCE)
    before, kept = outcome(folder), sorted(folder.checkpoints.folder.iterdir(), key=lambda path: int(path.name))[BEST]
    shutil.rmtree(kept)
    resume_run(noisy, SerialExecutor(), "run", lambda entry: None)
    assert kept.is_dir()
    assert outcome(folder) == before
    assert list(damages(folder)) == []


def test_a_lost_checkpoint_of_an_epoch_not_measured_yet_is_computed_again(noisy: Home):
    whole = train(noisy, SerialExecutor(), "whole", **PATIENCE)
    folder, job = create_run(noisy, SerialExecutor(), overfitting(**PATIENCE), "run")
    entries = advance(Late(1000), folder, job)
    while next(entries).get("epoch") != 2:
        pass
    entries.close()
    assert not any(entry["kind"] == "evaluation" for entry in folder.entries())
    shutil.rmtree(min(folder.checkpoints.folder.iterdir(), key=lambda path: int(path.name)))
    resume_run(noisy, SerialExecutor(), "run", lambda entry: None)
    assert outcome(folder) == outcome(whole)


def test_the_best_epoch_is_published_with_its_own_figures(noisy: Home):
    trained = start_run(noisy, SerialExecutor(), "run", overfitting(**PATIENCE), lambda entry: None)
    evaluations = evaluate_trained(noisy, SerialExecutor(), trained)
    assert set(evaluations) == {BEST}
    published = publish_run(noisy, trained, evaluations)
    assert (published.best_epoch, published.epochs) == (BEST + 1, LAST + 1)
    model = Registry(noisy.models).get(published.model, "1")
    assert model.lineage["parameters"] == published.digest == outcome(RunFolder(noisy.runs / "run"))[2]
    history = model.read_json("history")
    assert [epoch["epoch"] for epoch in history] == list(range(1, LAST + 2))
    assert history[BEST]["validation_accuracy"] == published.validation_accuracy
    assert max(epoch["validation_accuracy"] for epoch in history) == published.validation_accuracy
    assert history[BEST]["train_loss"] == published.train_loss


def test_verification_computes_figures_and_choice_again(noisy: Home):
    folder = train(noisy, SerialExecutor(), "run", **PATIENCE)
    job = recorded_job(noisy, folder)
    checks = list(verify_run(folder, job))
    assert all(check.same for check in checks)
    assert sum(check.same_scores is True for check in checks) == LAST + 1
    assert list(damages(folder)) == []

    def flatter(entry: Entry) -> None:
        if entry["kind"] == "evaluation" and entry["epoch"] == 4:
            entry["validation"]["accuracy"] = 0.99

    rewrite(folder, flatter)
    assert [check.epoch for check in verify_run(folder, job) if not check.same] == [4]
    said = list(damages(folder))
    assert any("by its figures it would after epoch 9" in line for line in said)
    assert any("not the one with the best figures" in line for line in said)


def rewrite(folder: RunFolder, change: Callable[[Entry], None]) -> None:
    """Change lines of a log, and keep its chain whole."""
    entries = list(folder.entries())
    folder.log.unlink()
    with RoundLog(folder.log) as log:
        for entry in entries:
            change(entry)
            values = {name: value for name, value in entry.items() if name not in ("kind", "at", "previous")}
            log.append(entry["kind"], **values)


def test_without_examples_held_out_nothing_is_evaluated_on_the_way_unless_wanted(noisy: Home, executor_of):
    plain = train(noisy, executor_of(2), "plain", holdout=0, epochs=2)
    assert not any(entry["kind"] == "evaluation" for entry in plain.entries())
    wanted = train(noisy, executor_of(2), "wanted", holdout=0, epochs=2, evaluate="epochs")
    logged = [entry for entry in wanted.entries() if entry["kind"] == "evaluation"]
    assert [(entry["epoch"], "validation" in entry) for entry in logged] == [(0, False), (1, False)]
    assert [*plain.entries()][-1]["digest"] == [*wanted.entries()][-1]["digest"]


@pytest.mark.parametrize("given", [{"keep": "best"}, {"patience": 3}])
def test_comparing_epochs_needs_examples_held_out(given: dict[str, Any]):
    with pytest.raises(InvalidInput, match="holdout must be at least 1, got 0"):
        plan_for(overfitting(holdout=0, **given), 200)


def test_a_run_from_before_there_were_evaluations_resumes_and_verifies(noisy: Home):
    folder, job = create_run(noisy, SerialExecutor(), overfitting(epochs=3), "old")
    path = folder.path / "config.json"
    facts = json.loads(path.read_text())
    for name in ("evaluate", "keep", "patience"):
        del facts["config"][name]
    path.write_text(canonical_json(facts))
    entries = advance(SerialExecutor(), folder, job)
    while next(entries).get("epoch") != 1:
        pass
    entries.close()
    rewrite(folder, lambda entry: None)
    trained = resume_run(noisy, SerialExecutor(), "old", lambda entry: None)
    assert trained.epoch == 2
    assert all(check.same for check in verify_run(folder, reopen_run(noisy, SerialExecutor(), folder)))
    assert list(damages(folder)) == []
