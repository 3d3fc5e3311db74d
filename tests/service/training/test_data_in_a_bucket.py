"""Trainings on data in a bucket, by workers that share no folder with anybody: the bits of data in a folder."""

import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from distributed import Client

from service.cluster.dask_executor import open_executor
from service.config import ClusterConfig, TrainConfig, from_preset
from service.data import DatasetInfo, describe, ingest, store
from service.errors import ClusterError, DataError
from service.home import Home
from service.inference.predictor import Predictor
from service.model_ref import ModelRef
from service.registry import Registry
from service.rounds.job import Job
from service.rounds.reading import resident_images
from service.runs import RunFolder
from service.storage import Address, Bucket
from service.training.evaluate import evaluate_run, evaluate_trained
from service.training.preflight import check_training
from service.training.publish import publish_run
from service.training.resume import resume_run
from service.training.start import start_run
from service.training.verify import verify_run
from tests.clusters import free_port, scheduler_and_worker, until, worker_process
from tests.data import write_idx_dataset
from tests.jobs import choose_for, serial_results, small
from tests.object_storage import new_bucket

pytestmark = pytest.mark.usefixtures("small_chunks")
GIVEN: dict[str, Any] = {"window": 1, "batch_size": 256, "epochs": 1, "evaluate": "epochs", "holdout": 130}
KINDS = ("whole", "chunked")


@pytest.fixture(params=KINDS)
def homes(
    object_storage: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> tuple[Home, Home]:
    """Two homes with the same data, the second of which keeps them in a bucket."""
    monkeypatch.setattr(store, "CHUNKED_FROM", 0 if request.param == "chunked" else 1 << 40)
    bucket = new_bucket(object_storage, f"bucket-{uuid4().hex[:12]}", "data")
    homes = Home(tmp_path / "folder"), Home(tmp_path / "bucket", data_elsewhere=bucket)
    write_idx_dataset(tmp_path / "idx", train=12_000, test=600, shape=(12, 12), classes=5)
    for home in homes:
        home.prepare()
        ingest(home, dataset="blobs", source=tmp_path / "idx")
    return homes


def job_of(home: Home, **given: Any) -> Job:
    data = describe(home.store("blobs"))
    config = from_preset(small(**GIVEN | {"shuffle": "windowed" if data.is_chunked else "full"} | given))
    return Job(config, data, choose_for(config), data_memory=1)


@pytest.fixture(scope="module")
def hosts(object_storage: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClusterConfig]:
    """A scheduler and two workers. What they would need of a home isn't there."""
    port, folder = free_port(), tmp_path_factory.mktemp("of a worker")
    address = f"tcp://127.0.0.1:{port}"
    with ExitStack() as stack:
        stack.enter_context(pytest.MonkeyPatch.context()).setenv("ATELIER_HOME", str(folder))
        stack.enter_context(scheduler_and_worker(port))
        stack.enter_context(worker_process(address))
        with Client(address, timeout=240, set_as_default=False) as client:
            client.wait_for_workers(2, timeout=240)
        yield ClusterConfig(scheduler=address, workers=2, data_memory=2)
    assert not (folder / "data").exists()


def test_data_in_a_bucket_give_the_bits_of_data_in_a_folder(homes: tuple[Home, Home]):
    jobs = [job_of(home) for home in homes]
    assert jobs[0].data == replace(jobs[1].data, path=jobs[0].data.path)
    assert (resident_images(jobs[1]) is not None) == jobs[1].data.is_chunked
    results = [[result.digest for result in serial_results(job)] for job in jobs]
    assert results[0] == results[1]


@pytest.mark.slow
def test_workers_that_share_no_folder_train_to_the_same_bits_though_one_is_killed(
    homes: tuple[Home, Home], hosts: ClusterConfig
):
    expected, home = [result.digest for result in serial_results(job_of(homes[0]))], homes[1]
    config, rounds = job_of(home).config, list[str]()

    def watch(entry: dict[str, Any]) -> None:
        if entry["kind"] == "round":
            rounds.append(entry["digest"])
            if len(rounds) == 3:
                victim.send_signal(signal.SIGKILL)

    check_training(home, config, hosts)
    with worker_process(str(hosts.scheduler)) as victim, open_executor(hosts) as executor:
        until(lambda: len(executor.cluster.workers) == 3)
        trained = start_run(home, executor, "run", config, watch)
        assert victim.wait() == -signal.SIGKILL
        published = publish_run(home, trained, evaluate_trained(home, executor, trained))
        assert evaluate_run(home, executor, "run")[0].accuracy == published.test_accuracy
    assert rounds == expected
    predictor = Predictor(Registry(home.models).find(ModelRef.parse(published.model)))
    images, labels = store.read(job_of(home).data.path, "test", job_of(home).data.digest)
    hits = predictor.logits(images).argmax(axis=1) == labels
    assert hits.mean() == pytest.approx(published.test_accuracy)
    assert [check for check in verify_run(RunFolder.open(home.runs, "run"), job_of(home)) if not check.same] == []


def stop_after(number: int) -> Callable[[dict[str, Any]], None]:
    def watch(entry: dict[str, Any]) -> None:
        if entry["kind"] == "round" and entry["round"] == number:
            raise KeyboardInterrupt

    return watch


@pytest.mark.parametrize("homes", KINDS[1:], indirect=True)
def test_a_run_goes_on_where_its_data_were_brought_in_again(
    homes: tuple[Home, Home], tmp_path: Path, hosts: ClusterConfig
):
    *_, expected = serial_results(job_of(homes[0]))
    home, before = homes[1], describe(homes[1].store("blobs"))
    with open_executor(hosts) as executor, pytest.raises(KeyboardInterrupt):
        start_run(home, executor, "run", job_of(home).config, stop_after(4))
    spoil(before, None)
    with open_executor(hosts) as executor:
        with pytest.raises(DataError, match=r"train/images/c/7/0/0 is missing, and with it chunk \d+"):
            start_run(home, executor, "other", job_of(home, seed=2).config, lambda entry: None)
        ingest(home, dataset="blobs", source=tmp_path / "idx")
        assert resume_run(home, executor, "run", lambda entry: None).digest == expected.digest


def spoil(info: DatasetInfo, content: bytes | None) -> None:
    assert isinstance(info.path, Address)
    bucket = Bucket(info.path / "train" / "images")
    bucket.remove("c/7/0/0") if content is None else bucket.put("c/7/0/0", content)


@pytest.mark.parametrize("homes", KINDS[1:], indirect=True)
def test_the_worker_that_reads_a_swapped_chunk_names_it_and_the_bucket(homes: tuple[Home, Home], hosts: ClusterConfig):
    info = describe(homes[1].store("blobs"))
    assert isinstance(info.path, Address)
    spoil(info, Bucket(info.path / "train" / "images").read("c/2/0/0"))
    with (
        open_executor(hosts) as executor,
        pytest.raises(
            DataError, match=rf"^{info.path}/train/images/c/7/0/0 is damaged in chunk (28|29|30|31) .* it holds chunk"
        ),
    ):
        start_run(homes[1], executor, "damaged", config_of(homes[1]), lambda entry: None)


def config_of(home: Home) -> TrainConfig:
    return job_of(home).config


@pytest.mark.parametrize("homes", KINDS[1:], indirect=True)
def test_a_worker_without_credentials_is_named_before_the_run(homes: tuple[Home, Home], hosts: ClusterConfig):
    with worker_process(str(hosts.scheduler), AWS_PROFILE="nobody"), open_executor(hosts) as executor:
        until(lambda: len(executor.cluster.workers) == 3)
        with pytest.raises(ClusterError, match=r"worker tcp://.* can't see s3://.*: there is no profile 'nobody'"):
            start_run(homes[1], executor, "run", config_of(homes[1]), lambda entry: None)
    assert not (homes[1].runs / "run").exists()
