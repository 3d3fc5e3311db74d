from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import numpy as np
import pytest

from service.config import TrainConfig
from service.data.catalog import FASHION_MNIST
from service.data.store import build
from service.home import Home
from service.http import Limits
from service.runs import RoundLog, RunFolder
from service.search.sweep import Range, Result, Sweep, SweepFolder, write_report
from tests.service.http.serving import serving
from tests.service.models import draft, publish

TOKEN = "open sesame"
RUN = "20261123-181500-4f2a"
SWEEP = "rates"
LIMITS = Limits(body=2 * 2**20, images=200)
IMPATIENT = replace(LIMITS, read_s=1.0)


def filled_home(root: Path) -> Home:
    """Two models, a finished run of two epochs, a sweep of three trials, and a data set of random images."""
    home = Home(root)
    home.prepare()
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (60, 28, 28), dtype=np.uint8)
    labels = (np.arange(60) % 10).astype(np.uint8)
    groups = (images, labels), (images, labels)
    info = build(home.store("fashion-mnist"), "fashion-mnist", FASHION_MNIST.class_names, *groups)
    for name, made in (("lenet", draft(tags=("small",))), ("flat", draft("mlp", seed=1))):
        publish(home.models, name, replace(made, lineage={**made.lineage, "data": info.digest}))
    folder = RunFolder.create(home.runs, RUN, TrainConfig(epochs=2), None)
    with RoundLog(folder.log) as log:
        log.append("begin", rounds_done=0)
        for epoch in (0, 1):
            log.append("round", round=epoch, epoch=epoch, examples=60, loss=2.0 - epoch, accuracy=0.5, digest="0" * 64)
            log.append("epoch", epoch=epoch, examples=60, train_loss=1.75 - epoch, train_accuracy=0.6,
                       examples_per_s=1000.0, wall_s=0.06, rounds_done=epoch + 1)  # fmt: skip
        log.append("end", outcome="finished", digest="0" * 64, examples=120)
    sweep = Sweep(over={"optimizer.lr": Range(low=0.01, high=1.0, log=True)}, trials=3)
    trials = SweepFolder.begin(home.sweeps / SWEEP, sweep)
    for number, lr in enumerate((0.01, 0.1, 1.0)):
        trials.keep(Result(number, RUN, {"optimizer.lr": lr}, "", 1.0, 0.5, 1.0, 0.3 * number, 1000.0, 2.0))
    write_report(trials, sweep)
    return home


# A home and a server for each module: some tests publish and remove models, and the order of modules is not fixed.
@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    return filled_home(tmp_path_factory.mktemp("home"))


@pytest.fixture(scope="module")
def http(home: Home) -> Iterator[httpx.Client]:
    with serving(home, token=TOKEN, limits=LIMITS) as client:
        yield client


@pytest.fixture(scope="module")
def impatient(home: Home) -> Iterator[httpx.Client]:
    """A service that waits two seconds for a request: for tests that wait for the end of its patience."""
    with serving(home, limits=IMPATIENT) as client:
        yield client
