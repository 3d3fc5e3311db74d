"""Trainings whose classes weigh differently: recorded, resumed and computed again to the same bits."""

import numpy as np
import pytest

from service.config import ClusterConfig, from_preset
from service.data import label_counts
from service.data.store import build
from service.errors import InvalidInput
from service.home import Home
from service.rounds.serial_executor import SerialExecutor
from service.training.evaluate import evaluate_trained
from service.training.preflight import check_training
from service.training.publish import publish_run
from service.training.resume import recorded_job, resume_run
from service.training.start import create_run, start_run
from service.training.verify import verify_run
from tests.jobs import small

CLASSES = ("many", "few", "five")


@pytest.fixture
def rare(home: Home) -> Home:
    """A home with a data set of 390, 30 and 15 training images, whose classes overlap."""
    home.prepare()
    rng = np.random.default_rng(0)

    def images_of(counts: tuple[int, ...]):
        labels = np.repeat(np.arange(3, dtype=np.uint8), counts)
        images = rng.integers(0, 120, (len(labels), 12, 12)) + 30 * labels[:, None, None]
        return images.astype(np.uint8), labels

    build(home.store("blobs"), "blobs", CLASSES, images_of((390, 30, 15)), images_of((40, 40, 40)))
    return home


def config_of(weights: str):
    return from_preset(small(class_weights=weights))


def train(home: Home, run: str, weights: str):
    trained = start_run(home, SerialExecutor(), run, config_of(weights), lambda _: None)
    return publish_run(home, trained, evaluate_trained(home, SerialExecutor(), trained))


def test_a_weighted_run_is_resumed_and_verified_to_the_same_bits(rare: Home):
    whole = train(rare, "whole", "balanced")
    folder, job = create_run(rare, SerialExecutor(), config_of("balanced"), "begun")
    assert job.class_weights == pytest.approx([435 / 3 / count for count in label_counts(rare.store("blobs"), "train")])
    assert recorded_job(rare, folder).step_config == job.step_config
    assert resume_run(rare, SerialExecutor(), "begun", lambda _: None).digest == whole.digest
    assert all(check.same for check in verify_run(folder, recorded_job(rare, folder)))


def test_weights_change_the_model_and_one_for_each_does_not(rare: Home):
    plain, same, weighted = (
        train(rare, name, text) for name, text in (("a", "none"), ("b", "1,1,1"), ("c", "many=0.1"))
    )
    assert plain.digest == same.digest != weighted.digest


def test_classes_far_from_balanced_are_told_at_both_ends_unless_they_are_weighted(rare: Home):
    for run, weights, said in (("plain", "none", True), ("weighted", "balanced", False)):
        folder, _ = create_run(rare, SerialExecutor(), config_of(weights), f"{run}-begun")
        named = [warning for warning in folder.facts()["warnings"] if "--class-weights balanced" in warning]
        assert len(named) == said
        warnings = train(rare, run, weights).warnings or ()
        assert any("far from balanced: 'many' has 390" in warning for warning in warnings)
        assert any(warning.endswith("or train with --class-weights balanced") for warning in warnings) == said


def test_a_store_that_may_be_built_again_is_not_read_before(rare: Home):
    for file in (rare.store("blobs") / "train" / "labels").rglob("*"):
        if file.is_file() and file.name != "zarr.json":
            file.write_bytes(b"damaged")
    check_training(rare, config_of("balanced"), ClusterConfig())


def test_weights_that_do_not_fit_the_data_are_refused_before_anything_starts(rare: Home):
    with pytest.raises(InvalidInput, match="--class-weights names 'cow', which is none of the classes many, few, five"):
        check_training(rare, config_of("cow=3"), ClusterConfig())
