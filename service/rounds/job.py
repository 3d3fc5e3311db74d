"""What every task of a run has to know, as one small value that travels with it."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from ops import zoo
from ops.engines import Choice, choose, find
from ops.engines.base import Engine, Floats, Replica
from ops.engines.fingerprint import Fingerprint
from ops.errors import OpsError
from ops.layers import Shape
from ops.network import Network
from ops.step_config import StepConfig
from service.config import TrainConfig
from service.data import DatasetInfo
from service.data.channel_statistics import ChannelStatistics
from service.networks import Description
from service.networks.building import build
from service.rounds.plan import Plan, Round, plan_for, windows_for
from service.rounds.split import Split
from service.rounds.strategies import Strategy, strategy_for
from service.rounds.train_state import TrainState
from service.rounds.windows import Chunks
from service.rounds.worker_cache import process_cache


@dataclass(frozen=True)
class Job:
    """A training made concrete. Two jobs with equal fields end in the same bits on the same class of hardware.

    Attributes:
        config: what is trained, and how.
        data: the data set, with its digest.
        choice: the engine that takes the steps.
        fingerprint: the class of hardware and libraries that computes them; None where any will do.
        class_weights: what each class weighs in the loss; empty where all weigh 1.
        data_memory: MB of images that a process keeps in memory of a data set that is shuffled by windows; 0 is a
            share of what there is. It changes no bits.
    """

    config: TrainConfig
    data: DatasetInfo
    choice: Choice
    fingerprint: Fingerprint | None = None
    class_weights: tuple[float, ...] = ()
    data_memory: int = 0

    @property
    def network(self) -> Network:
        """The network that is trained. Raises OpsError where the images don't fit it."""
        return network_for(self.config, self.data)

    @property
    def step_config(self) -> StepConfig:
        """How each of its steps is taken."""
        return step_config_for(self.config, self.class_weights)

    @property
    def strategy(self) -> Strategy:
        """How its replicas part ways and become one again. Raises InvalidInput where there is none of that name."""
        return strategy_for(self.config.averaging)

    @property
    def plan(self) -> Plan:
        """Who takes which examples when. Raises InvalidInput where there are too few examples."""
        return plan_for(self.config, self.data.train, windows_for(self.config, self.data))

    def averages_plainly(self, round_: Round) -> bool:
        """Whether a round's mean goes on as it is: where one task took it alone, or the run ends so."""
        return round_.solo or (self.config.averaging.final_average == "plain" and self.plan.is_last(round_))

    def initial_state(self) -> TrainState:
        """What a run starts from: fresh parameters, no velocity."""
        return self.state_from(self.network.init_parameters(self.config.seed))

    def state_from(self, theta: Floats) -> TrainState:
        """The first state of a run that starts from these parameters and buffers (size,)."""
        trained = theta[: self.network.num_parameters]
        velocity = np.zeros(self.step_config.state_size(trained.size), np.float32)
        return TrainState(Replica(theta, velocity), self.strategy.init(trained), theta if self.config.ema else None)


@lru_cache(maxsize=8)
def network_for(config: TrainConfig, data: DatasetInfo) -> Network:
    """The configured network for images of this data set. Raises OpsError where they don't fit it."""
    return network_of(config, data.input_shape, data.classes, data.statistics)


def network_of(
    config: TrainConfig, input_shape: Shape, classes: int, statistics: ChannelStatistics | None = None
) -> Network:
    """The configured network for images of a shape (c, h, w).

    Args:
        config: what is trained.
        input_shape: of an image.
        classes: how many there are.
        statistics: what `normalize` stands for in it; None leaves that open.

    Raises:
        OpsError: the images don't fit the network.
        InvalidInput: the network asks for statistics that nobody counted.
    """
    if isinstance(config.model, Description):
        return build(config.model, input_shape, classes, resize=config.resize, statistics=statistics)
    return zoo.network(config.model, input_shape, classes, resize=config.resize)


def step_config_for(config: TrainConfig, class_weights: tuple[float, ...] = ()) -> StepConfig:
    """The part of the configuration that an engine compiles in, with what each class weighs on its data."""
    return StepConfig(
        momentum=config.optimizer.momentum,
        nesterov=config.optimizer.nesterov,
        weight_decay=config.optimizer.weight_decay,
        label_smoothing=config.optimizer.label_smoothing,
        flip=config.augment.flip,
        shift=config.augment.shift,
        precision=config.precision,
        optimizer=config.optimizer.optimizer,
        beta1=config.optimizer.beta1,
        beta2=config.optimizer.beta2,
        clip_norm=config.optimizer.clip_norm,
        class_weights=class_weights,
    )


def releases_gil(config: TrainConfig, data: DatasetInfo) -> bool:
    """Whether the engine that this machine would take for a training computes without Python's lock.

    False too where no engine can run it; whoever starts the training says so.
    """
    try:
        found = choose(network_for(config, data), step_config_for(config), engine=config.engine, device=config.device)
    except OpsError:
        return False
    return find(found.engine).releases_gil


def engine_of(job: Job) -> Engine:
    """This process's engine for a job."""
    return process_cache().engine(job.choice, job.network, job.step_config)


def split_of(job: Job) -> Split:
    """Which training examples the job is trained on, and which it holds out."""
    return process_cache().split(job.data, job.config)


def chunks_of(job: Job) -> Chunks | None:
    """Where chunks begin among the examples that are trained on; None without windows or held-out examples."""
    windows = job.plan.windows
    return split_of(job).chunks(windows.chunk) if windows and job.config.holdout else None


def training_data(job: Job) -> Any:
    """The training examples, verified and brought to where this process's engine runs."""
    return process_cache().training_data(job.choice, job.network, job.step_config, job.data)
