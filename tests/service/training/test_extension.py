"""Finished runs that go on: in the bits of a run that was as long from the beginning."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from service.errors import InvalidInput, RunError
from service.home import Home
from service.rounds.executor import Executor
from service.rounds.learning_rates import learning_rates
from service.rounds.serial_executor import SerialExecutor
from service.runs import RunFolder
from service.training.evaluate import evaluate_trained
from service.training.extension import extended_config
from service.training.history import epochs_of, final_checkpoint
from service.training.loop import Trained, advance
from service.training.publish import publish_run
from service.training.resume import recorded_job, resume_run
from service.training.start import create_run, start_run
from service.training.verify import damages, examples_once, verify_run
from service.training.warm_start import WarmStart
from tests.service.training.noisy import noisy_store, overfitting

FORK = WarmStart(fork="short")
STEADY: dict[str, Any] = {"averaging": {"shards": 3, "average_every": 3, "solo_share": 0, "outer_momentum": 0.5}}
"""Nothing in it depends on how long the run is."""


@pytest.fixture
def noisy(home: Home, tmp_path: Path) -> Home:
    noisy_store(home, tmp_path / "idx")
    return home


def train(home: Home, executor: Executor, run: str, **given: Any) -> Trained:
    return start_run(home, executor, run, overfitting(**STEADY | given), lambda entry: None)


def extend(home: Home, executor: Executor, run: str, name: str, **chosen: Any) -> Trained:
    config = extended_config(home, run, chosen)
    return start_run(home, executor, name, config, lambda entry: None, WarmStart(extend=run))


def test_an_extended_run_has_the_bits_of_one_that_was_as_long_from_the_beginning(noisy: Home, executor_of):
    straight = train(noisy, executor_of(2), "straight", epochs=7)
    train(noisy, executor_of(2), "short", epochs=3)
    extended = extend(noisy, executor_of(1), "short", "longer", epochs=5)
    assert extended.epoch == 4
    again = extend(noisy, SerialExecutor(), "longer", "longest", epochs=7)
    assert again.digest == straight.digest
    whole = [entry["digest"] for entry in RunFolder(noisy.runs / "straight").entries() if entry["kind"] == "round"]
    parts = [
        entry["digest"]
        for run in ("short", "longer", "longest")
        for entry in RunFolder(noisy.runs / run).entries()
        if entry["kind"] == "round"
    ]
    assert parts == whole


def test_an_extended_run_stopped_anywhere_resumes_verifies_and_is_published(noisy: Home):
    train(noisy, SerialExecutor(), "short", epochs=3)
    whole = extend(noisy, SerialExecutor(), "short", "whole", epochs=6)
    for stop_after in (1, 5, 9):
        config = extended_config(noisy, "short", {"epochs": 6})
        folder, job = create_run(noisy, SerialExecutor(), config, f"stopped-{stop_after}", WarmStart(extend="short"))
        entries = advance(SerialExecutor(), folder, job)
        for _ in range(stop_after):
            next(entries)
        entries.close()
        assert resume_run(noisy, SerialExecutor(), folder.name, lambda entry: None).digest == whole.digest
    folder = RunFolder.open(noisy.runs, "whole")
    job = recorded_job(noisy, folder)
    assert all(check.same for check in verify_run(folder, job))
    assert all(examples_once(folder, job, epoch) for epoch in (3, 4, 5))
    assert list(damages(folder)) == []
    assert folder.checkpoints.read(folder.checkpoints.numbers()[0]).examples in {130, 260, 390}
    published = publish_run(noisy, whole, evaluate_trained(noisy, SerialExecutor(), whole))
    assert published.epochs is None
    assert job.plan.share_after(4, 0) == pytest.approx(1 / 3)


def test_patience_counts_from_the_first_of_the_new_epochs(noisy: Home):
    train(noisy, SerialExecutor(), "short", epochs=3, optimizer={"lr": 0.5, "momentum": 0.5})
    straight = train(noisy, SerialExecutor(), "straight", epochs=12, optimizer={"lr": 0.5, "momentum": 0.5})
    extended = extend(noisy, SerialExecutor(), "short", "longer", epochs=12, keep="best", patience=2)
    epochs = [entry["epoch"] for entry in epochs_of(RunFolder(noisy.runs / "longer"))]
    assert epochs == list(range(3, extended.epoch + 3))
    best = epochs_of(RunFolder(noisy.runs / "straight"))[extended.epoch]
    assert extended.train_loss == best["train_loss"]
    assert straight.epoch == 11


@pytest.mark.parametrize("schedule", ["cosine", "one-cycle", "constant"])
def test_the_schedule_is_laid_over_all_epochs_together(noisy: Home, schedule: str):
    given = {"optimizer": {"lr": 0.3, "schedule": schedule, "warmup": 0.2}}
    train(noisy, SerialExecutor(), "short", epochs=2, **given)
    _, straight = create_run(noisy, SerialExecutor(), overfitting(**STEADY, **given, epochs=8), "straight")
    config = extended_config(noisy, "short", {"epochs": 8})
    _, longer = create_run(noisy, SerialExecutor(), config, "longer", WarmStart(extend="short"))
    expected = [learning_rates(straight, r) for r in straight.plan.rounds() if r.epoch >= 2]
    found = [learning_rates(longer, r) for r in longer.plan.rounds()]
    np.testing.assert_array_equal(np.concatenate(found), np.concatenate(expected))
    steady = extended_config(noisy, "short", {"epochs": 8, "optimizer": {"schedule": "constant", "lr": 0.01}})
    assert (steady.optimizer.schedule, steady.optimizer.lr, steady.optimizer.warmup) == ("constant", 0.01, 0.2)


def test_what_a_run_takes_along_is_recorded(noisy: Home):
    train(noisy, SerialExecutor(), "short", epochs=1, optimizer={"momentum": 0.5})
    extend(noisy, SerialExecutor(), "short", "longer", epochs=2)
    facts = RunFolder(noisy.runs / "longer").facts()
    assert facts["extend"] == "short"
    assert facts["start_digest"] == final_checkpoint(RunFolder(noisy.runs / "short")).state.digest
    assert facts["what_starts"] == (
        "extends run short, with its parameters, velocity, outer velocity; epochs, shuffles and schedules go on"
    )
    fork, _ = create_run(noisy, SerialExecutor(), overfitting(), "fork", WarmStart(fork="short"))
    assert fork.facts()["what_starts"] == (
        "forks run short, with its parameters, velocity, outer velocity; epochs, shuffles and schedules begin anew"
    )


def test_what_cannot_be_extended_is_refused(noisy: Home):
    train(noisy, SerialExecutor(), "short", epochs=2)
    create_run(noisy, SerialExecutor(), overfitting(), "begun")
    with pytest.raises(RunError, match="runs resume begun"):
        extended_config(noisy, "begun", {"epochs": 20})
    for chosen in ({"epochs": 2}, {}):
        with pytest.raises(InvalidInput, match="epochs must be more than the 2 that run short has"):
            extended_config(noisy, "short", chosen)
    with pytest.raises(InvalidInput, match="seed must be as in run short"):
        extended_config(noisy, "short", {"epochs": 3, "seed": 4})
    with pytest.raises(InvalidInput, match="first-epoch must be 2 to extend run short, got 0"):
        create_run(noisy, SerialExecutor(), overfitting(**STEADY, epochs=4), "wrong", WarmStart(extend="short"))
    for changed in ({"seed": 5}, {"holdout": 30}):
        given = overfitting(**STEADY, epochs=4, first_epoch=2).model_copy(update=changed)
        with pytest.raises(InvalidInput, match=f"{next(iter(changed))} must be as in run short to extend it"):
            create_run(noisy, SerialExecutor(), given, "wrong", WarmStart(extend="short"))
    with pytest.raises(InvalidInput, match="first-epoch must be 0 in a run that extends no other"):
        create_run(noisy, SerialExecutor(), overfitting(epochs=4, first_epoch=2), "wrong")


def test_a_fork_holds_out_nothing_that_its_parent_was_trained_on(noisy: Home):
    train(noisy, SerialExecutor(), "short", epochs=2)
    for changed in ({"seed": 5}, {"holdout": 30}, {"holdout_by": "stratified"}):
        with pytest.raises(InvalidInput, match="run short was trained on examples that --holdout"):
            create_run(noisy, SerialExecutor(), overfitting(**STEADY).model_copy(update=changed), "wrong", FORK)
    for fine in (overfitting(**STEADY, epochs=1), overfitting(**STEADY, epochs=1, holdout=0, seed=3)):
        create_run(noisy, SerialExecutor(), fine, f"fork-{fine.seed}", FORK)
