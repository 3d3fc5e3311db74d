"""What came out of a trial."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Result:
    """What came out of a trial: losses in nats, accuracies as shares, wall_s in seconds of training.

    validation_loss, validation_accuracy: on the training examples that were kept out, where there are any.
    rungs: with halving, what the trial was compared by after so many epochs, by their number as text; else None.
    """

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
    validation_loss: float | None = None
    validation_accuracy: float | None = None
    rungs: dict[str, float] | None = None

    @property
    def merit(self) -> float:
        """What trials are compared by: accuracy on the examples kept out, or else on the test examples."""
        return self.test_accuracy if self.validation_accuracy is None else self.validation_accuracy

    @property
    def epochs(self) -> int | None:
        """After how many epochs these figures are, with halving; None without."""
        return max(map(int, self.rungs)) if self.rungs else None


def best_first(results: Iterable[Result]) -> list[Result]:
    """The results by merit; with halving, those of the trials that went on for longest come first."""
    return sorted(results, key=lambda result: (-(result.epochs or 0), -result.merit, result.trial))
