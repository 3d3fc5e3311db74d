"""The one interface of everything that executes training steps: values in, values out."""

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Replica:
    """The state that is trained and averaged.

    theta: (parameters,) float32, every parameter of the network in one vector.
    velocity: (parameters,) float32, the momentum buffer; zeros where momentum is 0.
    """

    theta: Floats
    velocity: Floats


@dataclass(frozen=True)
class Steps:
    """Some SGD steps to take, one after another.

    examples: (total,) int32, numbers of the examples in the data set, step after step.
    offsets: (steps + 1,) int32; step i takes `examples[offsets[i]:offsets[i + 1]]`.
        A step may have no examples: it is skipped and leaves the replica as it is.
    rates: (steps,) float32, the learning rate of each step.
    seed, epoch: with an example's number they key its augmentation and dropout.
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

    replica: the state after the last step (host arrays).
    examples: how many were used; loss: the sum of their losses before each update, in nats
    (with label smoothing if the step configuration has it); correct: how many were classified right then.
    """

    replica: Replica
    examples: int
    loss: float
    correct: int


class Engine(Protocol):
    """Runs one network under one step configuration. Build one with `ops.engines.build`.

    The same engine on the same kind of hardware gives the same bits for the same arguments.
    """

    name: str

    def load(self, images: NDArray[np.uint8], labels: NDArray[np.uint8]) -> Any:
        """Bring a data set where the steps will run.

        images: (N, h, w) or (N, c, h, w) uint8; labels: (N,) uint8. What comes back is opaque, and may be kept and
        given to `run` any number of times.
        """

    def run(self, replica: Replica, data: Any, steps: Steps) -> StepResult:
        """Take the steps, starting from `replica`, which is left untouched."""

    def predict(self, theta: Floats, images: NDArray[np.uint8]) -> Floats:
        """Logits (n, classes) float32 of images (n, h, w) or (n, c, h, w) uint8, any n >= 0."""
