"""Small trainings for tests."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ops.engines import Choice
from service.config import TrainConfig, from_preset
from service.data import ingest
from service.home import Home
from service.rounds.job import Job
from service.rounds.schedule import RoundSchedule
from service.rounds.serial_executor import SerialExecutor
from service.rounds.tasks import RoundResult
from service.rounds.train_state import TrainState
from tests.data import write_idx_dataset

SMALL: dict[str, Any] = {
    "model": "mlp",
    "dataset": "blobs",
    "epochs": 2,
    "batch_size": 32,
    "engine": "array",
    "device": "cpu",
    "optimizer": {"lr": 0.2},
    "averaging": {
        "shards": 3,
        "average_every": 4,
        "solo_share": 0,
        "solo_steps": 0,
        "outer_momentum": 0,
        "outer_lr": 1,
    },
}
"""A training of a second or less; every option that decides it is given."""


def small(**given: Any) -> dict[str, Any]:
    """`SMALL` with something else laid over it; `optimizer`, `averaging` and `augment` are merged."""
    merged = dict(SMALL)
    for name, value in given.items():
        merged[name] = {**merged.get(name, {}), **value} if isinstance(value, dict) else value
    return merged


def blobs_store(home: Home, folder: Path, *, train: int = 300, test: int = 60, seed: int = 0) -> None:
    """Ingest a data set named `blobs` of 12x12 images in 5 classes."""
    home.prepare()
    write_idx_dataset(folder, train=train, test=test, shape=(12, 12), classes=5, seed=seed)
    ingest(home, dataset="blobs", source=folder)


def small_job(home: Home, folder: Path, *, train: int = 300, **given: Any) -> Job:
    """A job on such a data set."""
    blobs_store(home, folder, train=train)
    config = from_preset(small(**given))
    return Job(config, ingest(home, dataset="blobs"), choose_for(config))


def choose_for(config: TrainConfig) -> Choice:
    """The engine that the configuration names, on the CPU."""
    return Choice("simd" if config.engine == "simd" else "array", "cpu")


def serial_results(job: Job, start: TrainState | None = None) -> Iterator[RoundResult]:
    """The results of all rounds of a job, each with its state, computed in this process."""
    schedule = RoundSchedule(job.plan)
    return SerialExecutor().run_rounds(job, start or job.initial_state(), schedule.after(None), schedule)
