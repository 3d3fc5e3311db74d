"""What came out of a trial."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Result:
    """What came out of a trial: losses in nats, accuracies as shares, wall_s in seconds of training."""

    trial: int
    run: str
    changes: dict[str, Any]
    digest: str
    train_loss: float
    train_accuracy: float
    test_loss: float
    test_accuracy: float
    examples_per_s: float
    wall_s: float
