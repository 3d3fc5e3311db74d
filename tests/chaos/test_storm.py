"""Whatever dies, the bits are the same. `make chaos` runs the long form and prints what it cost."""

import os
import subprocess
import sys
from pathlib import Path
from uuid import uuid4

import pytest

from service.data import chunked_groups, store
from service.home import Home
from service.runs import find_run
from service.storage import Address
from service.training.verify import damages
from tests.chaos.processes import survivors
from tests.chaos.storm import Fault, forecast, storm
from tests.chaos.witness import Event, begun_again
from tests.jobs import serial_results, small, small_job
from tests.object_storage import new_bucket, trouble

# rounds of some 50 ms, enough of them that a storm of a few seconds falls within the run
LONG = {"epochs": 12, "model": "lenet", "resize": 28, "averaging": {"shards": 4, "average_every": 6}}

EVERY_PART = [
    Fault("worker", 1, 0.5),
    Fault("new worker", 4, 0),
    Fault("coordinator", 9, 0.3),
    Fault("frozen worker", 9, 0.6),
    Fault("scheduler", 9, 0.8),
    Fault("worker", 0, 12),
]


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_run_survives_the_death_of_every_part(home: Home, tmp_path: Path):
    job = small_job(home, tmp_path / "idx", train=1500, **LONG)
    calm = [report.digest for report in serial_results(job)]
    outcome = storm(home, "storm", small(**LONG), EVERY_PART, seed=1, round_s=0.05, limit=1500)
    assert outcome.rounds == calm
    assert outcome.digest == calm[-1]
    assert outcome.kills == 4
    assert outcome.recomputed > 0
    assert outcome.left_over == []


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_run_on_data_in_a_bucket_that_fails_now_and_then_survives_too(
    object_storage: str, home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(store, "CHUNKED_FROM", 0)
    monkeypatch.setattr(chunked_groups, "CHUNK_BYTES", 100 * 144)
    monkeypatch.setattr(chunked_groups, "CHUNKS_PER_SHARD", 4)
    monkeypatch.setenv("ATELIER_DATA", new_bucket(object_storage, f"bucket-{uuid4().hex[:12]}", "data"))
    home, given = Home.from_environment(), {**LONG, "shuffle": "windowed", "window": 1}
    job = small_job(home, tmp_path / "idx", train=1500, **given)
    assert job.data.is_chunked
    assert isinstance(job.data.path, Address)
    calm = [report.digest for report in serial_results(job)]
    with trouble(object_storage, unsteady=5):
        outcome = storm(home, "storm", small(**given), EVERY_PART, seed=1, round_s=0.05, limit=1500)
    assert (outcome.rounds, outcome.digest, outcome.kills) == (calm, calm[-1], 4)
    assert outcome.left_over == []


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_run_that_lies_in_a_bucket_survives_too(
    object_storage: str, home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    for part in ("data", "runs", "models"):
        place = new_bucket(object_storage, f"{part}-{uuid4().hex[:12]}", part)
        monkeypatch.setenv(f"ATELIER_{part.upper()}", place)
    home = Home.from_environment()
    job = small_job(home, tmp_path / "idx", train=1500, **LONG)
    calm = [report.digest for report in serial_results(job)]
    kills = [*EVERY_PART, Fault("coordinator", 3, 0.5), Fault("coordinator", 0, 10), Fault("scheduler", 2, 0.5)]
    with trouble(object_storage, unsteady=5):
        outcome = storm(home, "storm", small(**LONG), kills, seed=1, round_s=0.05, limit=1500)
        assert list(damages(find_run(home.runs, "storm"))) == []
    assert (outcome.rounds, outcome.digest, outcome.kills) == (calm, calm[-1], 7)
    assert (outcome.left_over, outcome.crashed) == ([], 0)


def test_a_seed_tells_a_storm_with_so_many_kills_and_more_on_top():
    storms = [forecast(seed, 6) for seed in range(20)]
    assert storms == [forecast(seed, 6) for seed in range(20)]
    assert len({tuple(faults) for faults in storms}) == 20
    for faults in storms:
        assert sum(fault.part in ("worker", "scheduler", "coordinator") for fault in faults) == 6
        assert {"frozen worker", "new worker"} <= {fault.part for fault in faults}


@pytest.mark.slow
def test_a_process_that_outlives_its_run_is_found(tmp_path: Path):
    environment = {**os.environ, "ATELIER_HOME": str(tmp_path)}
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, env=environment) as process:
        assert list(survivors(tmp_path)) == [process.pid]
        process.kill()
    assert survivors(tmp_path) == {}


def test_only_a_task_that_began_before_is_recomputed():
    seen = [
        Event(1.0, 7, "executing", "round-aaaa-3-0"),
        Event(1.1, 7, "executing", "round-aaaa-3-1"),
        Event(1.2, 7, "memory", "round-aaaa-3-1"),
        Event(1.3, 8, "executing", "round-bbbb-3-1"),
        Event(1.4, 8, "executing", "warm-bbbb-worker"),
        Event(1.5, 9, "executing", "warm-bbbb-worker"),
    ]
    assert begun_again(seen) == 1
