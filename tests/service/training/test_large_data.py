"""Trainings on data sets that are read by chunks: the bits of those that are held in memory."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from service.config import ClusterConfig, from_preset
from service.data import describe, store
from service.data.statistics import ImageStatistics
from service.errors import DataError, InvalidInput
from service.home import Home
from service.rounds.job import Job
from service.rounds.reading import resident_images
from service.rounds.serial_executor import SerialExecutor
from service.rounds.worker_cache import WorkerCache
from service.runs import RunFolder
from service.runs.recorded_config import recorded_config
from service.training.epoch_scores import score_epoch
from service.training.evaluate import evaluate, evaluate_trained
from service.training.preflight import check_training
from service.training.publish import publish_run
from service.training.start import start_run
from service.training.verify import examples_once, verify_run
from tests.jobs import blobs_store, choose_for, serial_results, small

pytestmark = pytest.mark.usefixtures("small_chunks")
WINDOWED: dict[str, Any] = {"shuffle": "windowed", "window": 1, "batch_size": 256}
KINDS = ("whole", "chunked")


@pytest.fixture
def jobs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A function that gives the same training on a store of each kind; only the second can be read in part."""
    homes = {}
    for kind in KINDS:
        monkeypatch.setattr(store, "CHUNKED_FROM", 0 if kind == "chunked" else 1 << 40)
        homes[kind] = Home(tmp_path / kind)
        blobs_store(homes[kind], tmp_path / f"{kind}-idx", train=12_000)

    def jobs(**given: Any) -> tuple[Job, Job]:
        config = from_preset(small(**WINDOWED | given))
        whole, chunked = (
            Job(config, describe(home.store("blobs")), choose_for(config), data_memory=1) for home in homes.values()
        )
        assert resident_images(whole) is None
        assert (resident_images(chunked) is not None) == (config.shuffle == "windowed")
        return whole, chunked

    return jobs


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"shuffle": "full"},
        {"holdout": 130, "holdout_by": "last"},
        {"engine": "simd", "augment": {"flip": True, "shift": 2}, "holdout": 130, "averaging": {"solo_share": 0.4}},
    ],
    ids=str,
)
def test_a_store_that_is_read_by_chunks_gives_the_bits_of_one_in_memory(jobs, given: dict[str, Any]):
    whole, chunked = jobs(**given)
    results = [[result.digest for result in serial_results(job)] for job in (whole, chunked)]
    assert results[0] == results[1]


def test_both_shuffles_differ_and_so_do_windows(jobs):
    runs = [{}, {"shuffle": "full"}, {"window": 1000}]
    assert len({[*serial_results(jobs(epochs=1, **given)[1])][-1].digest for given in runs}) == 3


def test_evaluations_by_parts_are_those_of_the_whole(jobs, monkeypatch):
    whole, chunked = jobs(holdout=130)
    theta = whole.initial_state().replica.theta
    monkeypatch.setattr("service.training.epoch_scores.KEPT", 0)
    by_parts, at_once = evaluate(chunked, theta), evaluate(whole, theta)
    assert by_parts.confusion == at_once.confusion
    assert by_parts.loss == pytest.approx(at_once.loss, rel=1e-5)  # BLAS rounds sums by how many images there are
    assert by_parts.validation is not None
    assert at_once.validation is not None
    assert by_parts.validation.accuracy == at_once.validation.accuracy
    assert by_parts.validation.loss == pytest.approx(at_once.validation.loss, rel=1e-5)
    assert score_epoch(chunked, theta).validation == by_parts.validation


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_any_number_of_workers_gives_the_same_bits(jobs, tmp_path: Path, executor_of, workers: int):
    _, job = jobs(holdout=130, evaluate="epochs")
    home, config = Home(job.data.path.parent.parent), job.config
    *_, last = serial_results(job)
    executor = executor_of(workers)
    executor.data_memory = 1
    trained = start_run(home, executor, f"on-{workers}", config, lambda _: None)
    assert trained.digest == last.digest
    folder = RunFolder.open(home.runs, f"on-{workers}")
    assert [check for check in verify_run(folder, job) if not check.same] == []
    assert all(examples_once(folder, job, epoch) for epoch in range(config.epochs))
    published = publish_run(home, trained, evaluate_trained(home, executor, trained))
    assert published.digest == last.digest


def test_the_worker_that_reads_a_damaged_chunk_names_it(jobs, executor_of):
    _, job = jobs()
    path = job.data.path / "train" / "images" / "c" / "7" / "0" / "0"
    content = bytearray(path.read_bytes())
    content[40] ^= 1
    path.write_bytes(content)
    home = Home(job.data.path.parent.parent)
    with pytest.raises(
        DataError, match=r"blobs\.zarr/train/images/c/7/0/0 is damaged in chunk 28 \(rows 5600 to 5799\)"
    ):
        start_run(home, executor_of(2), "damaged", job.config, lambda _: None)


def test_too_little_memory_for_two_windows_is_refused_before_anything_starts(jobs):
    _, job = jobs(window=5)
    home = Home(job.data.path.parent.parent)
    check_training(home, job.config, ClusterConfig(data_memory=10))
    with pytest.raises(InvalidInput, match="data_memory must be at least twice the window, 10 MB, got 9"):
        check_training(home, job.config, ClusterConfig(data_memory=9))


def test_statistics_of_parts_are_those_of_the_whole():
    images = np.random.default_rng(0).integers(0, 256, (300, 12, 12), np.uint8)
    parts = [images[:7], images[7:200], images[200:]]
    assert ImageStatistics.of_parts(parts) == ImageStatistics.of_images(images)


def test_a_run_of_before_was_shuffled_whole(jobs):
    values = from_preset(small()).model_dump(mode="json", exclude={"shuffle", "window"})
    assert recorded_config(values).shuffle == "full"
    assert SerialExecutor().data_memory == 0


def test_an_engine_reads_the_images_that_are_resident_now_and_none_that_were_given_up(jobs):
    _, job = jobs()
    cache = WorkerCache()
    for budget in range(1_000_000, 1_000_020):
        resident = cache.resident(job.data, budget)
        data = cache.resident_data(job.choice, job.network, job.step_config, job.data, resident)
        assert np.shares_memory(data.images, resident.array)
        del resident, data
