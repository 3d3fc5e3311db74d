"""The textbook's training loop: epochs of an engine's steps, with loss, accuracy and examples a second.

For learning and for trying things out on one machine; nothing is stored. The loop for real work, over many
machines and safe against losing any of them, is the service's.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from ops.engines.base import Engine, Floats, Replica, Steps
from ops.errors import OpsError, ShapeError
from ops.lr_schedules import Schedule, rates
from ops.network import Network
from ops.random import generator

Examples = tuple[NDArray[np.uint8], NDArray[np.uint8]]
"""Images (N, h, w) or (N, c, h, w) and labels (N,), both uint8."""


@dataclass(frozen=True)
class Epoch:
    """The state of a training after an epoch.

    Attributes:
        number: The epoch's number, from 1.
        loss: The mean over the epoch's examples, each before its step.
        train_accuracy: Likewise.
        test_accuracy: Of theta, on the test set.
        examples_per_s: The training's speed, without the test.
        theta: (size,) float32, the network's parameters and buffers.
    """

    number: int
    loss: float
    train_accuracy: float
    test_accuracy: float
    examples_per_s: float
    theta: Floats

    def __str__(self) -> str:
        return (
            f"epoch {self.number}, loss {self.loss:.3f}, train acc {self.train_accuracy:.3f}, "
            f"test acc {self.test_accuracy:.3f}, {self.examples_per_s:,.0f} examples/s"
        )


class Timer:
    """A stopwatch that adds up: `with timer: ...`; `timer.seconds` is the sum of what ran inside."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._started = 0.0

    def __enter__(self) -> "Timer":
        self._started = perf_counter()
        return self

    def __exit__(self, *_: object) -> None:
        self.seconds += perf_counter() - self._started

    def rate(self, examples: int) -> float:
        """Examples a second, if so many were worked on in all."""
        return examples / self.seconds if self.seconds else 0.0


def accuracy(logits: NDArray[np.floating], labels: NDArray[np.integer]) -> float:
    """The share of rows of `logits` (n, classes) whose largest number stands at the label (n,); NaN for none.

    Raises ShapeError where there isn't a label for each row.
    """
    if logits.shape[:1] != labels.shape:
        raise ShapeError(f"labels must have shape {logits.shape[:1]}, one for each row of logits, got {labels.shape}")
    return float((logits.argmax(axis=1) == labels).mean()) if len(labels) else float("nan")


def epoch_steps(total: int, batch_size: int, rates_of_epoch: Floats, *, seed: int, epoch: int) -> Steps:
    """All of `total` examples once, shuffled by seed and epoch, `batch_size` a step; the last may be smaller."""
    order = generator(seed, "order", epoch).permutation(total).astype(np.int32)
    offsets = np.minimum(np.arange(len(rates_of_epoch) + 1) * batch_size, total).astype(np.int32)
    return Steps(order, offsets, rates_of_epoch, seed, epoch)


def train(
    network: Network,
    engine: Engine,
    training: Examples,
    test: Examples,
    *,
    epochs: int,
    batch_size: int,
    schedule: Schedule,
    seed: int = 0,
) -> Iterator[Epoch]:
    """Train a network from fresh parameters, and give its state after each epoch.

    Args:
        network: What is trained.
        engine: An engine that was built for the network.
        training: Images and labels to train on.
        test: Images and labels to test on after each epoch.
        epochs: How often every example is seen.
        batch_size: Examples a step; the last of an epoch may have fewer.
        schedule: The learning rate over all steps.
        seed: Decides the first parameters and every shuffle.

    Raises:
        OpsError: `batch_size` is below 1, or there are no examples.
    """
    total = len(training[0])
    if batch_size < 1 or not total:
        raise OpsError(f"batch_size and the number of examples must be >= 1, got {batch_size} and {total}")
    data = engine.load(*training)
    theta = network.init_parameters(seed)
    replica = Replica(theta, np.zeros(network.num_parameters, np.float32))
    steps = -(-total // batch_size)
    rate = rates(schedule, epochs * steps)
    for epoch in range(epochs):
        plan = epoch_steps(total, batch_size, rate[epoch * steps : (epoch + 1) * steps], seed=seed, epoch=epoch)
        with Timer() as timer:
            result = engine.run(replica, data, plan)
        replica = result.replica
        test_accuracy = accuracy(engine.predict(replica.theta, test[0]), test[1])
        yield Epoch(
            number=epoch + 1,
            loss=result.loss / total,
            train_accuracy=result.correct / total,
            test_accuracy=test_accuracy,
            examples_per_s=timer.rate(total),
            theta=replica.theta,
        )
