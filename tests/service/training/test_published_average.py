"""Runs that publish the moving average of their parameters: resumed, verified, forked, extended, published."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from service.config import from_preset
from service.home import Home
from service.registry import ModelRef, Registry
from service.rounds.serial_executor import SerialExecutor
from service.runs import RunFolder
from service.training.evaluate import evaluate_trained
from service.training.extension import extended_config
from service.training.history import final_checkpoint
from service.training.loop import Trained, advance
from service.training.publish import publish_run
from service.training.resume import recorded_job, resume_run
from service.training.start import create_run, start_run
from service.training.verify import damages, verify_run
from service.training.warm_start import FRESH, WarmStart
from tests.jobs import blobs_store, small
from tests.service.training.test_verify import forge

GIVEN: dict[str, Any] = {"ema": 0.9, "averaging": {"outer_momentum": 0.5, "solo_share": 0.2}, "holdout": 60}


@pytest.fixture
def blobs(home: Home, tmp_path: Path) -> Home:
    blobs_store(home, tmp_path / "idx")
    return home


def train(home: Home, run: str, start: WarmStart = FRESH, **given: Any) -> Trained:
    config = from_preset(small(**GIVEN | given))
    return start_run(home, SerialExecutor(), run, config, lambda entry: None, start)


def test_what_is_published_and_evaluated_is_the_average(blobs: Home):
    trained, plain = train(blobs, "averaged"), train(blobs, "plain", ema=0.0)
    assert trained.digest != plain.digest
    evaluations = evaluate_trained(blobs, SerialExecutor(), trained)
    published = publish_run(blobs, trained, evaluations)
    model = Registry(blobs.models).find(ModelRef.parse(f"{published.model}:{published.version}"))
    last = final_checkpoint(RunFolder.open(blobs.runs, "averaged")).state
    np.testing.assert_array_equal(model.parameters(), last.ema)
    assert (model.parameters() != last.replica.theta).any()
    straight = final_checkpoint(RunFolder.open(blobs.runs, "plain")).state
    np.testing.assert_array_equal(last.replica.theta, straight.replica.theta)
    assert straight.ema is None


@pytest.mark.parametrize("stop_after", [1, 4, 8])
def test_a_stopped_run_resumes_to_the_same_bits_and_verifies(blobs: Home, executor_of, stop_after: int):
    whole = train(blobs, "whole")
    folder, job = create_run(blobs, SerialExecutor(), from_preset(small(**GIVEN)), "stopped")
    entries = advance(SerialExecutor(), folder, job)
    for _ in range(stop_after):
        next(entries)
    entries.close()
    assert resume_run(blobs, executor_of(2), "stopped", lambda entry: None).digest == whole.digest
    logged = [
        [
            (entry["digest"], entry["theta_digest"])
            for entry in RunFolder.open(blobs.runs, run).entries()
            if entry["kind"] == "round"
        ]
        for run in ("whole", "stopped")
    ]
    assert logged[0] == logged[1]
    job = recorded_job(blobs, folder)
    checks = list(verify_run(folder, job))
    assert all(check.same for check in checks)
    assert any(check.same_scores for check in checks)
    assert list(damages(folder)) == []


def test_parameters_that_differ_where_the_average_does_not_are_found(blobs: Home):
    train(blobs, "run")
    folder = RunFolder.open(blobs.runs, "run")
    forge(folder, final_checkpoint(folder).round.number, theta_digest="0" * 64)
    assert [check.same for check in verify_run(folder, recorded_job(blobs, folder))][-1] is False
    assert any("checkpoint" in line for line in damages(folder))


def test_a_fork_and_an_extension_take_the_average_along(blobs: Home):
    straight = train(blobs, "straight", epochs=3, averaging={"outer_momentum": 0.5, "solo_share": 0})
    train(blobs, "short", epochs=2, averaging={"outer_momentum": 0.5, "solo_share": 0})
    config = extended_config(blobs, "short", {"epochs": 3})
    extended = start_run(blobs, SerialExecutor(), "long", config, lambda entry: None, WarmStart(extend="short"))
    assert extended.digest == straight.digest
    train(blobs, "fork", WarmStart(fork="short"))
    facts, start = RunFolder.open(blobs.runs, "fork").facts(), RunFolder.open(blobs.runs, "fork").start()
    assert "moving average" in facts["what_starts"]
    parent = final_checkpoint(RunFolder.open(blobs.runs, "short")).state
    assert start is not None
    assert start.ema is not None
    np.testing.assert_array_equal(start.ema, parent.ema)


def test_an_average_begins_and_ends_with_a_fork_that_wants_it_or_not(blobs: Home):
    train(blobs, "averaged")
    train(blobs, "plain", ema=0.0)
    train(blobs, "without", WarmStart(fork="averaged"), ema=0.0)
    train(blobs, "with", WarmStart(fork="plain"))
    without, begun = (RunFolder.open(blobs.runs, run).start() for run in ("without", "with"))
    assert without is not None
    assert begun is not None
    assert without.ema is None
    np.testing.assert_array_equal(begun.published, begun.replica.theta)
    assert begun.ema is not None
    newest = RunFolder.open(blobs.runs, "without").checkpoints
    assert newest.read(newest.numbers()[0]).state.ema is None
