"""What a run that is resumed has to find as it was."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from service.config import from_preset
from service.errors import ClusterError, RunError
from service.home import Home
from service.rounds.serial_executor import SerialExecutor
from service.runs import RunFolder
from service.training.evaluate import evaluate_trained
from service.training.history import RunHistory
from service.training.metrics import Score, measure
from service.training.resume import resume_run
from service.training.start import create_run, start_run
from service.training.warm_start import WarmStart
from tests.jobs import blobs_store, serial_results, small, small_job


def rewrite(folder: RunFolder, **facts: Any) -> None:
    """Change what a run's configuration file says; None removes it."""
    content = {name: value for name, value in (folder.facts() | facts).items() if value is not None}
    (folder.path / "config.json").write_text(json.dumps(content))


def test_a_run_needs_no_cluster_to_be_started_and_resumed(home: Home, tmp_path: Path):
    blobs_store(home, tmp_path / "idx")
    whole = start_run(home, SerialExecutor(), "whole", from_preset(small()), lambda _: None)
    create_run(home, SerialExecutor(), from_preset(small()), "begun")
    resumed = resume_run(home, SerialExecutor(), "begun", lambda _: None)
    assert (resumed.digest, resumed.workers) == (whole.digest, 1)


def test_a_run_that_was_computed_by_something_else_says_so_before_its_first_round(home: Home, tmp_path: Path):
    blobs_store(home, tmp_path / "idx")
    folder, job = create_run(home, SerialExecutor(), from_preset(small()), "run")
    assert job.fingerprint is not None
    rewrite(folder, fingerprint=folder.facts()["fingerprint"] | {"libraries": "NumPy 1.0"})
    with pytest.raises(ClusterError, match=r"the run was computed by array on .*, NumPy 1\.0; this process is array"):
        resume_run(home, SerialExecutor(), "run", lambda _: None)
    assert list(folder.entries()) == []


def test_a_run_of_a_version_without_fingerprints_is_resumed(home: Home, tmp_path: Path):
    blobs_store(home, tmp_path / "idx")
    whole = start_run(home, SerialExecutor(), "whole", from_preset(small()), lambda _: None)
    folder, _ = create_run(home, SerialExecutor(), from_preset(small()), "old")
    rewrite(folder, fingerprint=None)
    assert resume_run(home, SerialExecutor(), "old", lambda _: None).digest == whole.digest


def test_a_run_that_lost_what_it_was_to_start_from_does_not_start_anew(home: Home, tmp_path: Path):
    small_job(home, tmp_path / "idx")
    start_run(home, SerialExecutor(), "parent", from_preset(small()), lambda entry: None)
    create_run(home, SerialExecutor(), from_preset(small()), "fork", WarmStart(fork="parent"))
    shutil.rmtree(home.runs / "fork" / "start")
    with pytest.raises(RunError, match=r"run fork was to start from parameters [0-9a-f]{12}, which aren't there any"):
        resume_run(home, SerialExecutor(), "fork", lambda entry: None)


def test_the_rate_of_an_epoch_that_was_continued_is_that_of_what_was_added(home: Home, tmp_path: Path):
    config = from_preset(small(epochs=1, averaging={"average_every": 1}))
    small_job(home, tmp_path / "idx")
    folder, job = create_run(home, SerialExecutor(), config, "run")
    with folder.held() as lease, folder.open_log(lease) as log:
        history = RunHistory(folder, log)
        results = list(serial_results(job))
        half = len(results) // 2
        for number, result in enumerate(results):
            ended = history._began + (number - half + 1 if number >= half else number - 1000)  # a second each
            list(history.add_round(replace(result, ended=ended)))
        (epoch,) = history.add_epoch(results[-1].round)
    added = sum(result.examples for result in results[half:])
    assert epoch["examples_per_s"] == pytest.approx(added / (len(results) - half))
    assert epoch["wall_s"] == pytest.approx(epoch["examples"] / epoch["examples_per_s"])


def test_a_training_that_diverges_in_its_last_step_says_so(home: Home, tmp_path: Path):
    small_job(home, tmp_path / "idx")
    config = from_preset(small(epochs=1, batch_size=300, optimizer={"lr": 100.0}, averaging={"average_every": 1}))
    job = create_run(home, SerialExecutor(), config, "run")[1]
    theta = np.full(job.network.size, np.inf, np.float32)

    class Diverging(SerialExecutor):
        def run_rounds(self, job, state, first, schedule):
            for result in super().run_rounds(job, state, first, schedule):
                state = replace(result.state, replica=replace(result.state.replica, theta=theta))
                yield replace(result, state=state)

    with pytest.raises(RunError, match=r"run run diverged: after round 0 parameters are no numbers any more; train wi"):
        resume_run(home, Diverging(), "run", lambda entry: None)
    assert RunFolder.open(home.runs, "run").status() == "failed"


@pytest.mark.parametrize("given", [{}, {"holdout": 30, "evaluate": "epochs"}], ids=["at the end", "meanwhile"])
def test_an_evaluation_that_comes_to_no_number_says_so(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: dict[str, Any]
):
    small_job(home, tmp_path / "idx")
    for module in ("evaluate", "epoch_scores"):
        monkeypatch.setattr(f"service.training.{module}.score", lambda logits, labels: Score(len(labels), np.nan, 0.1))
    monkeypatch.setattr(
        "service.training.evaluate.measure",
        lambda logits, labels, names: replace(measure(logits, labels, names), loss=np.nan),
    )
    config = from_preset(small(epochs=1, **given))
    with pytest.raises(RunError, match=r"run run diverged: evaluated after epoch 1 its loss is nan; train with a"):
        evaluate_trained(home, SerialExecutor(), start_run(home, SerialExecutor(), "run", config, lambda entry: None))
