"""What the workers of a local cluster are best, given what they are to train."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec

from ops.engines import find
from ops.errors import OpsError
from service.cluster.gpus import visible_gpus
from service.config import TrainConfig
from service.data import DatasetInfo
from service.rounds.job import releases_gil


@dataclass(frozen=True)
class LocalWorkers:
    """What a local cluster's workers are, where its configuration leaves that open.

    Attributes:
        gpus: the GPUs to start a process each for, as `CUDA_VISIBLE_DEVICES` names them.
        are_threads: whether they are threads of this process.
    """

    gpus: tuple[str, ...] = ()
    are_threads: bool = False


Suited = Callable[[], LocalWorkers]
"""Finds what suits, which takes a while: it is called where a local cluster is started, and only there."""


def suited_to(*trainings: tuple[TrainConfig, DatasetInfo]) -> LocalWorkers:
    """A process a GPU where any of the trainings may take GPUs and there are some; else what suits the CPU."""
    gpus = visible_gpus() if any(_takes_gpu(config) for config, _ in trainings) else ()
    return LocalWorkers(gpus, are_threads=not gpus and all(releases_gil(*training) for training in trainings))


def _takes_gpu(config: TrainConfig) -> bool:
    """Whether a training takes a GPU where there is one."""
    if config.device == "cpu" or find_spec("cupy") is None:
        return False
    try:
        return config.engine == "auto" or "cuda" in find(config.engine).devices
    except OpsError:
        return False  # whoever starts the training says so
