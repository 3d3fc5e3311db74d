"""A training that overfits, so that its best epoch isn't its last one: a third of the labels say anything."""

import gzip
from pathlib import Path
from typing import Any

import numpy as np

from service.config import TrainConfig, from_preset
from service.data import ingest
from service.home import Home
from tests.data import write_idx_dataset
from tests.jobs import small


def noisy_store(home: Home, folder: Path) -> None:
    """Ingest a data set named `blobs` with wrong labels among the training examples."""
    home.prepare()
    write_idx_dataset(folder, train=200, test=60, shape=(12, 12), classes=5, seed=0)
    path = folder / "train-labels-idx1-ubyte.gz"
    content = bytearray(gzip.decompress(path.read_bytes()))
    labels = np.frombuffer(content, np.uint8)[8:]  # a magic number and a count come first
    draws = np.random.default_rng(1)
    wrong = draws.random(len(labels)) < 1 / 3
    labels[wrong] = draws.integers(5, size=wrong.sum())
    path.write_bytes(gzip.compress(content))
    ingest(home, dataset="blobs", source=folder)


def overfitting(**given: Any) -> TrainConfig:
    """A training on it of up to 12 epochs, with 70 examples held out."""
    return from_preset(
        small(**{"epochs": 12, "holdout": 70, "holdout_by": "last", "optimizer": {"lr": 0.5, "momentum": 0.5}} | given)
    )
