"""What every task of a run has to know, as one small value that travels with it."""

import logging
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np

from ops import zoo
from ops.engines import Choice, build, choose
from ops.engines.base import Engine, Replica
from ops.errors import OpsError
from ops.network import Network
from ops.step_config import StepConfig
from service.config import TrainConfig
from service.data import Arrays, DatasetInfo, read
from service.rounds.averaging import TrainState
from service.rounds.plan import Plan, plan_for

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Job:
    """A training made concrete: what is asked for, on which data, by which engine.

    Two jobs with equal fields end in the same bits on the same class of hardware.
    """

    config: TrainConfig
    data: DatasetInfo
    choice: Choice

    @property
    def network(self) -> Network:
        """The network that is trained. Raises OpsError where the images don't fit it."""
        return network_for(self.config, self.data)

    @property
    def step_config(self) -> StepConfig:
        """How each of its steps is taken."""
        return step_config_for(self.config)

    @property
    def plan(self) -> Plan:
        """Who takes which examples when. Raises InvalidInput where there are too few examples."""
        return plan_for(self.config, self.data.train)

    def initial_state(self) -> TrainState:
        """What a run starts from: fresh parameters, nothing in motion."""
        theta = self.network.init_parameters(self.config.seed)
        return TrainState(Replica(theta, np.zeros_like(theta)), np.zeros_like(theta))


@lru_cache(maxsize=8)
def network_for(config: TrainConfig, data: DatasetInfo) -> Network:
    """The configured network for images of this data set. Raises OpsError where they don't fit it."""
    return zoo.network(config.model, (1, *data.image_shape), data.classes, resize=config.resize)


def step_config_for(config: TrainConfig) -> StepConfig:
    """The part of the configuration that an engine compiles in."""
    return StepConfig(
        momentum=config.optimizer.momentum,
        nesterov=config.optimizer.nesterov,
        weight_decay=config.optimizer.weight_decay,
        label_smoothing=config.optimizer.label_smoothing,
        flip=config.augment.flip,
        shift=config.augment.shift,
    )


def releases_gil(config: TrainConfig, data: DatasetInfo) -> bool:
    """Whether the engine that this machine would take for a training computes without Python's lock.

    False too where no engine can run it, which is told where it is run.
    """
    try:
        found = choose(network_for(config, data), step_config_for(config), engine=config.engine, device=config.device)
    except OpsError:
        return False
    return found.engine == "simd"


@lru_cache(maxsize=16)
def engine_of(job: Job) -> Engine:
    """This process's engine for a job."""
    with _building:
        return _engine(job.choice, job.network, job.step_config)


@lru_cache(maxsize=16)
def training_data(job: Job) -> Any:
    """The training examples, verified and brought to where the engine runs."""
    with _building:
        return _data(job.choice, job.network, job.step_config, job.data.path, job.data.digest)


# Jobs that differ in their learning rate, say, share an engine and its data; and so do workers that are threads, of
# which the first builds them while the others wait.
_building = Lock()


@lru_cache(maxsize=8)
def _engine(choice: Choice, network: Network, step_config: StepConfig) -> Engine:
    return build(choice, network, step_config)


@lru_cache(maxsize=8)
def _data(choice: Choice, network: Network, step_config: StepConfig, path: Path, digest: str) -> Any:
    images, labels = _examples(path, digest)
    loaded = _engine(choice, network, step_config).load(images, labels)
    log.info("%d examples of %s are loaded for %s on %s", len(labels), path.name, choice.engine, choice.device)
    return loaded


@lru_cache(maxsize=2)
def _examples(path: Path, digest: str) -> Arrays:
    return read(path, "train", digest)
