"""The one interface of everything that executes training steps: values in, values out."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from ops.network import Network
from ops.step_config import StepConfig

Floats = NDArray[np.float32]
DeviceName = Literal["cpu", "cuda"]


@dataclass(frozen=True)
class Fingerprint:
    """Two processes with equal fingerprints compute the same bits from the same arguments.

    Attributes:
        engine: Which engine executes the steps.
        device: The processor's architecture, or a GPU's compute capability.
        lanes: float32 numbers in a vector register, where the engine's order of sums depends on it; else 0.
        kernels: Digest of the sources that the engine's kernels are made from; empty for an engine without any.
        libraries: NumPy and BLAS, with version and kernel architecture, where the engine computes with them.
    """

    engine: str
    device: str
    lanes: int = 0
    kernels: str = ""
    libraries: str = ""

    def __str__(self) -> str:
        """A few words for people."""
        width = f" with {self.lanes} lanes" if self.lanes else ""
        kernels = f", kernels {self.kernels[:8]}" if self.kernels else ""
        libraries = f", {self.libraries}" if self.libraries else ""
        return f"{self.engine} on {self.device}{width}{kernels}{libraries}"


@dataclass(frozen=True)
class Replica:
    """The state that is trained and averaged.

    Attributes:
        theta: (size,) float32, the parameters of the network and after them its buffers, in one vector.
        velocity: (`StepConfig.state_size(parameters)`,) float32, what the optimizer keeps from step to step: for SGD
            the momentum of each parameter, zeros where momentum is 0.
    """

    theta: Floats
    velocity: Floats


@dataclass(frozen=True)
class Steps:
    """Some SGD steps to take, one after another.

    Attributes:
        examples: (total,) int32, numbers of the examples in the data set, step after step.
        offsets: (steps + 1,) int32; step i takes `examples[offsets[i]:offsets[i + 1]]`. A step may have no examples: it
            is skipped and leaves the replica as it is.
        rates: (steps,) float32, the learning rate of each step.
        seed: With the epoch and an example's number it keys the example's augmentation and dropout.
        epoch: See seed.
    """

    examples: NDArray[np.int32]
    offsets: NDArray[np.int32]
    rates: Floats
    seed: int = 0
    epoch: int = 0

    def __len__(self) -> int:
        return len(self.rates)


@dataclass(frozen=True)
class StepResult:
    """What came of some steps.

    Attributes:
        replica: The state after the last step (host arrays).
        examples: How many were used.
        loss: The sum of their losses before each update, in nats, with the configured label smoothing.
        correct: How many of them were classified right before each update.
    """

    replica: Replica
    examples: int
    loss: float
    correct: int


@dataclass(frozen=True)
class AveragingRule:
    """What becomes of replicas that are averaged; `ops.averaging` has the equations.

    Attributes:
        outer_lr: the outer optimizer's rate.
        outer_momentum: its momentum. With 0, and a rate of 1, the result is the plain average.
        reset_velocity: whether the velocities of the steps start at zero again; else they are averaged.
    """

    outer_lr: float = 1.0
    outer_momentum: float = 0.0
    reset_velocity: bool = False

    @property
    def plain(self) -> bool:
        """Whether the outer optimizer changes nothing, and keeps its own velocity as it is."""
        return self.outer_lr == 1 and self.outer_momentum == 0


@dataclass(frozen=True)
class RoundSteps:
    """One round: the steps of each shard, and how the replicas that they lead to become one.

    Attributes:
        shards: the steps of each shard, in the order in which replicas are summed. One of them at least has examples.
        rule: how they are averaged.
    """

    shards: Sequence[Steps]
    rule: AveragingRule = AveragingRule()


@dataclass(frozen=True)
class RoundResult:
    """What came of one round.

    Attributes:
        theta: (size,) float32, the parameters and buffers after the average.
        examples: how many each shard used.
        losses: the sum of each shard's losses, as in `StepResult`.
        correct: how many each shard classified right.
        distances: the squared distance that each shard's parameters travelled.
        length: the squared length of the shards' average, before the outer optimizer.
        travelled: the squared distance that this average travelled.
        seconds: time spent in the round's steps, over all shards.
        velocity: (parameters,) float32, the velocity after the average; given for the last of some rounds.
        outer: (parameters,) float32, the outer optimizer's velocity; likewise.
    """

    theta: Floats
    examples: tuple[int, ...]
    losses: tuple[float, ...]
    correct: tuple[int, ...]
    distances: tuple[float, ...]
    length: float
    travelled: float
    seconds: float
    velocity: Floats | None = None
    outer: Floats | None = None

    @property
    def end(self) -> tuple[Replica, Floats]:
        """The state after the last of some rounds: the replica, and the outer optimizer's velocity."""
        if self.velocity is None or self.outer is None:
            raise AssertionError("only the last of some rounds has its velocities")
        return Replica(self.theta, self.velocity), self.outer


class Engine(Protocol):
    """Runs one network under one step configuration. Build one with `ops.engines.build`.

    The same engine on the same kind of hardware gives the same bits for the same arguments.

    Attributes:
        name: What it is called in `ops.engines.table`.
        devices: Where it can run.
        releases_gil: Whether its steps leave Python to other threads, so that workers can be threads of a process.
        speed_rank: Where it stands among engines that run on the same device; the lowest is the fastest.
    """

    name: ClassVar[str]
    devices: ClassVar[tuple[DeviceName, ...]]
    releases_gil: ClassVar[bool]
    speed_rank: ClassVar[int]

    @classmethod
    def supports(cls, network: Network, step_config: StepConfig, device: DeviceName) -> str:
        """Why the engine can't run the network in such steps on a device that is there; empty if it can."""

    @classmethod
    def fingerprint(cls, device: DeviceName) -> Fingerprint:
        """What its bits depend on in this process, beside its arguments."""

    @classmethod
    def slowdown(cls, device: DeviceName) -> str:
        """What this machine lacks for the engine to be as fast as it can be; empty if nothing."""

    @classmethod
    def build(cls, network: Network, step_config: StepConfig, device: DeviceName) -> "Engine":
        """An engine for the network in such steps. Raises Unsupported where this machine can't run it."""

    def load(self, images: NDArray[np.uint8], labels: NDArray[np.uint8]) -> Any:
        """Bring a data set where the steps will run.

        Args:
            images: (N, h, w) or (N, c, h, w) uint8.
            labels: (N,) uint8.

        Returns:
            The data set, opaque. It may be given to `run` any number of times.
        """

    def run(self, replica: Replica, data: Any, steps: Steps) -> StepResult:
        """Take the steps, starting from `replica`, which is left untouched."""

    def run_shards(self, replicas: Sequence[Replica], data: Any, steps: Sequence[Steps]) -> list[StepResult]:
        """Take the steps of several shards, each from its replica: the bits that `run` gives for each by itself."""

    def run_rounds(
        self, replica: Replica, outer: Floats, data: Any, rounds: Iterable[RoundSteps]
    ) -> Iterator[RoundResult]:
        """Take the steps of whole rounds one after another, and average after each: the bits of `ops.engines.spans`.

        Args:
            replica: what every shard of the first round starts from.
            outer: (parameters,) float32, the outer optimizer's velocity.
            data: what `load` gave.
            rounds: the rounds; an engine may take some of them ahead of the result that it gives.

        Returns:
            The result of each round, as soon as it is there; the last one has the velocities too.
        """

    def predict(self, theta: Floats, images: NDArray[np.uint8]) -> Floats:
        """Logits (n, classes) float32 of images (n, h, w) or (n, c, h, w) uint8, any n >= 0."""
