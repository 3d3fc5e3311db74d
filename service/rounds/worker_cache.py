"""What a process keeps from one task to the next: engines, data, and averages. None of it can change a result."""

import logging
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from threading import Lock
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from ops.engines import Choice, build
from ops.engines.base import Engine, Steps
from ops.network import Network
from ops.step_config import StepConfig
from service.config import TrainConfig
from service.data import Arrays, DatasetInfo, read
from service.data.resident_images import ResidentImages
from service.data.store import open_chunks
from service.rounds.shard_update import PartialSum
from service.rounds.split import Split
from service.rounds.train_state import TrainState

log = logging.getLogger(__name__)

Value = TypeVar("Value")


@dataclass
class _Entry(Generic[Value]):
    """One value, which the thread that holds the lock makes."""

    lock: Lock = field(default_factory=Lock)
    made: list[Value] = field(default_factory=list)


class Cache(Generic[Value]):
    """The values that were used last, by their keys. Threads that ask for the same one wait while one makes it."""

    def __init__(self, size: int) -> None:
        """size: how many values are kept."""
        self._size = size
        self._lock = Lock()
        self._entries: OrderedDict[Hashable, _Entry[Value]] = OrderedDict()

    def get(self, key: Hashable, make: Callable[[], Value]) -> Value:
        """The value of a key. Where there is none yet, `make` is called; what it raises is raised, and not kept."""
        with self._lock:
            entry = self._entries.setdefault(key, _Entry())
            self._entries.move_to_end(key)
            if len(self._entries) > self._size:
                self._entries.popitem(last=False)
        with entry.lock:
            if not entry.made:
                entry.made.append(make())
            return entry.made[0]


class WorkerCache:
    """What one process keeps. Keys are values: jobs that differ in their learning rate, say, share an engine and data.

    Attributes:
        averages: the sum over a round's shards and the state after it.
        steps: of all shards of a round.
    """

    def __init__(self) -> None:
        self._engines: Cache[Engine] = Cache(8)
        self._loaded: Cache[Any] = Cache(8)
        self._on_device: Cache[Any] = Cache(2)  # copies, each as large as the data
        self._examples: Cache[Arrays] = Cache(2)
        self._resident: Cache[ResidentImages] = Cache(2)
        self._labels: Cache[NDArray[np.uint8]] = Cache(2)
        self._splits: Cache[Split] = Cache(8)
        self.averages: Cache[tuple[PartialSum, TrainState]] = Cache(8)
        self.steps: Cache[list[Steps]] = Cache(2)

    def engine(self, choice: Choice, network: Network, step_config: StepConfig) -> Engine:
        """The engine for a network and such steps."""
        key = (choice.engine, choice.device, network, step_config)
        return self._engines.get(key, lambda: build(choice, network, step_config))

    def training_data(self, choice: Choice, network: Network, step_config: StepConfig, data: DatasetInfo) -> Any:
        """The training examples, verified, as the engine's `load` gives them."""
        key = (choice.engine, choice.device, network, step_config, data.path, data.digest)
        kept = self._loaded if choice.device == "cpu" else self._on_device
        return kept.get(key, lambda: self._load(self.engine(choice, network, step_config), choice, data))

    def examples(self, data: DatasetInfo) -> Arrays:
        """The training examples, verified: images and labels. They are not to be changed."""
        return self._examples.get((data.path, data.digest), lambda: read(data.path, "train", data.digest))

    def split(self, data: DatasetInfo, config: TrainConfig) -> Split:
        """Which of the training examples are trained on, and which are held out."""
        key = (data.path, data.digest, config.holdout, config.holdout_by, config.seed)
        return self._splits.get(key, lambda: Split.of(config, self.labels(data)))

    def labels(self, data: DatasetInfo) -> NDArray[np.uint8]:
        """The labels of the training examples, verified. They are not to be changed."""
        if not data.is_chunked:
            return self.examples(data)[1]

        def read_labels() -> NDArray[np.uint8]:
            return open_chunks(data.path, "train", data.digest).labels.read_all()

        return self._labels.get((data.path, data.digest), read_labels)

    def resident(self, data: DatasetInfo, budget: int) -> ResidentImages:
        """The training images by chunks, of which a budget of bytes is kept in memory."""

        def open_images() -> ResidentImages:
            return ResidentImages(open_chunks(data.path, "train", data.digest).images, budget)

        return self._resident.get((data.path, data.digest, budget), open_images)

    def resident_data(
        self, choice: Choice, network: Network, step_config: StepConfig, data: DatasetInfo, resident: ResidentImages
    ) -> Any:
        """The training examples as the engine's `load` gives them, where it reads the images in place."""
        key = (choice.engine, choice.device, network, step_config, resident)
        engine = self.engine(choice, network, step_config)
        return self._loaded.get(key, lambda: engine.load(resident.array, self.labels(data)))

    def _load(self, engine: Engine, choice: Choice, data: DatasetInfo) -> Any:
        images, labels = self.examples(data)
        loaded = engine.load(images, labels)
        log.info("%d examples of %s are loaded for %s on %s", len(labels), data.name, choice.engine, choice.device)
        return loaded


_creation = Lock()
_process_cache: list[WorkerCache] = []


def process_cache() -> WorkerCache:
    """This process's cache, which is made when it is first needed.

    Tasks find it through this function, and not among their arguments: those are sent, and what a process keeps can't
    be. Workers that are threads share it.
    """
    with _creation:
        if not _process_cache:
            _process_cache.append(WorkerCache())
        return _process_cache[0]
