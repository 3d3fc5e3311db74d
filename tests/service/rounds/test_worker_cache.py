from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier, Event

import pytest

from ops.engines import build
from service.data import read
from service.home import Home
from service.rounds.job import Job, engine_of, training_data
from service.rounds.steps import steps_of
from service.rounds.worker_cache import Cache, WorkerCache, process_cache
from tests.jobs import small_job


def test_a_value_is_made_once_and_kept():
    cache: Cache[list[int]] = Cache(2)
    first = cache.get("a", lambda: [1])
    assert cache.get("a", lambda: [2]) is first


def test_the_values_that_were_used_last_are_kept():
    cache: Cache[str] = Cache(2)
    for key in ("a", "b", "a", "c"):
        cache.get(key, lambda key=key: f"first {key}")
    assert [cache.get(key, lambda: "made again") for key in ("a", "c", "b")] == ["first a", "first c", "made again"]


def test_what_could_not_be_made_is_tried_again():
    cache: Cache[int] = Cache(2)
    with pytest.raises(ZeroDivisionError):
        cache.get("a", lambda: 1 // 0)
    assert cache.get("a", lambda: 5) == 5


def test_threads_wait_while_one_of_them_makes_what_all_ask_for():
    cache: Cache[object] = Cache(2)
    made, all_here = [], Barrier(4)

    def make() -> object:
        made.append(1)
        return object()

    def ask(_: int) -> object:
        all_here.wait(timeout=120)
        return cache.get("a", make)

    with ThreadPoolExecutor(4) as threads:
        assert len(set(threads.map(ask, range(4)))) == 1
    assert made == [1]


def test_a_value_that_takes_long_holds_up_nobody_who_asks_for_another():
    cache: Cache[str] = Cache(2)
    release = Event()
    with ThreadPoolExecutor(1) as threads:
        slow = threads.submit(cache.get, "slow", lambda: str(release.wait(timeout=120)))
        assert cache.get("quick", lambda: "there") == "there"
        release.set()
        assert slow.result() == "True"


def test_there_is_one_cache_for_all_threads_of_a_process():
    with ThreadPoolExecutor(4) as threads:
        assert {id(cache) for cache in threads.map(lambda _: process_cache(), range(8))} == {id(process_cache())}


def test_jobs_share_engine_and_data_if_they_differ_in_nothing_that_these_depend_on(home: Home, tmp_path: Path):
    job = small_job(home, tmp_path / "idx")

    def changed(**fields: object) -> Job:
        return Job(job.config.model_copy(update=fields), job.data, job.choice)

    alike = changed(seed=7, epochs=9, batch_size=8, name="other", averaging=job.config.averaging.model_copy())
    assert engine_of(alike) is engine_of(job)
    assert training_data(alike) is training_data(job)
    faster = changed(optimizer=job.config.optimizer.model_copy(update={"lr": 0.01}))
    assert engine_of(faster) is engine_of(job)
    moving = changed(optimizer=job.config.optimizer.model_copy(update={"momentum": 0.5}))
    assert engine_of(moving) is not engine_of(job)


def loss_of_first_steps(job: Job, cache: WorkerCache | None = None) -> float:
    """What a shard's first steps come to, with an engine and data from a cache, or made for the purpose."""
    arguments = job.choice, job.network, job.step_config
    if cache is None:
        engine = build(*arguments)
        data = engine.load(*read(job.data.path, "train", job.data.digest))
    else:
        engine, data = cache.engine(*arguments), cache.training_data(*arguments, job.data)
    return engine.run(job.initial_state().replica, data, steps_of(job, job.plan.first_round(), 0)).loss


def test_every_job_gets_the_engine_and_the_data_that_it_would_have_made(home: Home, tmp_path: Path):
    other_home = Home(tmp_path / "other")
    job = small_job(home, tmp_path / "idx")
    other = small_job(other_home, tmp_path / "other-idx", train=250)
    moving = small_job(home, tmp_path / "idx", optimizer={"momentum": 0.9}, engine="simd")
    cache = WorkerCache()
    jobs = [job, other, moving, job]
    assert [loss_of_first_steps(each, cache) for each in jobs] == [loss_of_first_steps(each) for each in jobs]
    assert len({loss_of_first_steps(each) for each in jobs}) == 3


def test_the_log_says_what_was_loaded(home: Home, tmp_path: Path, caplog: pytest.LogCaptureFixture):
    job = small_job(home, tmp_path / "idx")
    with caplog.at_level("INFO", logger="service.rounds.worker_cache"):
        loss_of_first_steps(job, WorkerCache())
    assert caplog.messages == ["300 examples of blobs are loaded for array on cpu"]
