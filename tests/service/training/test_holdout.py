"""Training examples kept out to choose by: not trained on, measured, and no part of a run that keeps none."""

import gzip
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from service.config import from_preset
from service.data import DatasetInfo, ingest, read
from service.data.holdout import stratified_holdout
from service.errors import InvalidInput
from service.home import Home
from service.registry import Registry
from service.rounds.job import Job
from service.rounds.plan import plan_for
from service.rounds.split import Split
from service.rounds.steps import steps_of
from service.runs import RunFolder
from service.search.sweep import Result, results_table
from service.training.evaluate import evaluate, evaluate_run
from service.training.publish import publish_run
from service.training.resume import recorded_job, reopen_run
from service.training.start import start_run
from service.training.verify import examples_once, verify_run
from tests.jobs import blobs_store, serial_results, small, small_job


def test_what_is_held_out_is_never_trained_on_and_all_else_once_an_epoch(home: Home, tmp_path: Path):
    job = small_job(home, tmp_path / "idx", holdout=70)
    _, labels = read(job.data.path, "train", job.data.digest)
    held_out = stratified_holdout(labels, 70, job.config.seed)
    expected = np.setdiff1d(np.arange(300), held_out)
    for epoch in range(2):
        rounds = [round_ for round_ in job.plan.rounds() if round_.epoch == epoch]
        used = [steps_of(job, round_, shard).examples for round_ in rounds for shard in range(round_.shards)]
        np.testing.assert_array_equal(np.sort(np.concatenate(used)), expected)


def test_the_last_ones_can_be_held_out_as_before(home: Home, tmp_path: Path):
    job = small_job(home, tmp_path / "idx", holdout=70, holdout_by="last")
    used = [steps_of(job, r, k).examples for r in job.plan.rounds() if r.epoch == 0 for k in range(r.shards)]
    np.testing.assert_array_equal(np.sort(np.concatenate(used)), np.arange(230))


def test_what_is_kept_out_has_no_influence_on_the_parameters(home: Home, tmp_path: Path):
    job = small_job(home, tmp_path / "idx", holdout=70, holdout_by="last")
    altered = altered_behind(Home(tmp_path / "altered"), tmp_path / "idx", first=230)
    assert altered.digest != job.data.digest
    assert _digest(replace(job, data=altered)) == _digest(job)
    all_of_it = replace(job, config=from_preset(small()))
    assert _digest(replace(all_of_it, data=altered)) != _digest(all_of_it)


def altered_behind(home: Home, folder: Path, first: int) -> DatasetInfo:
    """The data set in a folder of IDX files, with other labels from training example `first` on."""
    home.prepare()
    path = folder / "train-labels-idx1-ubyte.gz"
    content = bytearray(gzip.decompress(path.read_bytes()))
    labels = np.frombuffer(content, np.uint8)[8:]  # a magic number and a count come first
    labels[first:] = (labels[first:] + 1) % 5
    path.write_bytes(gzip.compress(content))
    return ingest(home, dataset="blobs", source=folder)


def _digest(job: Job) -> str:
    *_, last = serial_results(job)
    return last.digest


def test_validation_is_measured_on_exactly_the_examples_kept_out(home: Home, tmp_path: Path):
    job = small_job(home, tmp_path / "idx", holdout=70)
    *_, last = serial_results(job)
    assert last.state is not None
    theta = last.state.replica.theta
    held = evaluate(job, theta).validation
    assert held is not None
    images, labels = read(job.data.path, "train", job.data.digest)
    numbers = stratified_holdout(labels, 70, job.config.seed)
    images, labels = images[numbers], labels[numbers]
    views = dict(job.network.named_parameters(theta.astype(np.float64)))
    x = images.reshape(70, -1) / 255
    hidden = np.maximum(x @ views["dense1.weight"].T + views["dense1.bias"], 0)
    logits = hidden @ views["dense2.weight"].T + views["dense2.bias"]
    losses = np.log(np.exp(logits).sum(axis=1)) - logits[np.arange(70), labels]
    assert held.examples == 70
    assert held.accuracy == np.mean(logits.argmax(axis=1) == labels)
    # float32 sums of some hundred terms against float64
    assert held.loss == pytest.approx(losses.mean(), rel=1e-4)
    assert evaluate(small_job(home, tmp_path / "idx"), theta).validation is None


def test_a_run_is_published_with_its_validation_and_can_be_verified(home: Home, tmp_path: Path, executor_of):
    blobs_store(home, tmp_path / "idx")
    executor = executor_of(2)
    trained = start_run(home, executor, "held", from_preset(small(holdout=70)), lambda entry: None)
    evaluations = evaluate_run(home, executor, "held")
    published = publish_run(home, trained, evaluations)
    last = evaluations[max(evaluations)].validation
    assert last is not None
    assert published.validation_accuracy == last.accuracy
    model = Registry(home.models).get(published.model, "1")
    assert (model.metrics["validation_accuracy"], model.metrics["validation_loss"]) == (last.accuracy, last.loss)
    assert model.read_json("metrics")["validation"]["examples"] == 70
    assert "70 training images held out" in model.read_file("README.md").decode()
    folder = RunFolder.open(home.runs, "held")
    job = recorded_job(home, folder)
    assert examples_once(folder, job, 1)
    assert all(check.same for check in verify_run(folder, job))


def test_the_configuration_of_a_run_from_before_still_loads_and_keeps_nothing_out(
    home: Home, tmp_path: Path, executor_of
):
    blobs_store(home, tmp_path / "idx")
    executor = executor_of(2)
    whole = start_run(home, executor, "whole", from_preset(small()), lambda entry: None)
    path = home.runs / "whole" / "config.json"
    facts = json.loads(path.read_text())
    del facts["config"]["holdout"]
    path.write_text(json.dumps(facts))
    assert reopen_run(home, executor, RunFolder.open(home.runs, "whole")).plan.examples == 300
    published = publish_run(home, whole, evaluate_run(home, executor, "whole"))
    assert published.validation_accuracy is None
    assert "validation_accuracy" not in Registry(home.models).get(published.model, "1").metrics


def test_a_run_from_before_holds_out_the_last_examples_and_ends_in_the_same_bits(
    home: Home, tmp_path: Path, executor_of
):
    blobs_store(home, tmp_path / "idx")
    executor = executor_of(2)
    config = from_preset(small(holdout=70, holdout_by="last"))
    trained = start_run(home, executor, "before", config, lambda entry: None)
    path = home.runs / "before" / "config.json"
    facts = json.loads(path.read_text())
    del facts["config"]["holdout_by"]
    path.write_text(json.dumps(facts))
    folder = RunFolder.open(home.runs, "before")
    assert folder.config() == config.model_copy(update={"name": "mlp"}), "models were not called after data sets"
    job = recorded_job(home, folder)
    *_, last = verify_run(folder, job)
    assert (last.same, last.computed) == (True, trained.digest)
    assert trained.digest != _digest(replace(job, config=from_preset(small(holdout=70))))


def test_sorted_labels_leave_no_class_out_of_either_part(home: Home, tmp_path: Path):
    """With the last ones held out, all of these are of one class, which the training never saw."""
    job = small_job(home, tmp_path / "idx", holdout=50)
    labels = np.repeat(np.arange(5, dtype=np.uint8), 60)
    split = Split.of(job.config, labels)
    assert np.bincount(labels[split.held_out]).tolist() == [10] * 5
    assert np.bincount(labels[split.trained_on]).tolist() == [50] * 5


@pytest.mark.parametrize(("holdout", "message"), [(300, "less than the number of examples, 300"), (298, "at most")])
def test_keeping_out_too_much_is_refused(holdout: int, message: str):
    with pytest.raises(InvalidInput, match=message):
        plan_for(from_preset(small(holdout=holdout)), 300)


def test_trials_are_ordered_by_validation_where_there_is_one():
    def result(trial: int, test: float, held: float | None) -> Result:
        return Result(trial, f"r{trial}", {}, "", 1.0, 0.5, 1.0, test, 1000.0, 2.0, None, held)

    rows = results_table([result(0, 0.9, 0.7), result(1, 0.8, 0.85)])
    assert [(row["run"], row["validation accuracy"]) for row in rows] == [("r1", 0.85), ("r0", 0.7)]
    rows = results_table([result(0, 0.8, None), result(1, 0.9, None)])
    assert [row["run"] for row in rows] == ["r1", "r0"]
    assert "validation accuracy" not in rows[0]
