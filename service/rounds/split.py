"""The training examples of a run in two parts: those it is trained on, and those that are held out."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Self

import numpy as np
from numpy.typing import NDArray

from service.config import TrainConfig
from service.data.holdout import stratified_holdout
from service.rounds.windows import Chunks


@dataclass(frozen=True, eq=False)
class Split:
    """Both parts, as numbers of examples in the data set, each in ascending order.

    Attributes:
        trained_on: (n,) int32.
        held_out: (holdout,) int32.
    """

    trained_on: NDArray[np.int32]
    held_out: NDArray[np.int32]

    @classmethod
    def of(cls, config: TrainConfig, labels: NDArray[np.uint8]) -> Self:
        """The split that is configured, for the training examples with these labels (N,)."""
        examples = np.arange(len(labels), dtype=np.int32)
        if config.holdout_by == "stratified":
            held_out = stratified_holdout(labels, config.holdout, config.seed)
        else:
            held_out = examples[len(labels) - config.holdout :]
        return cls(np.delete(examples, held_out), held_out)

    def chunks(self, size: int) -> Chunks:
        """Where chunks of so many examples begin, among those that are trained on."""
        return _chunks(self, size)


@lru_cache(maxsize=8)
def _chunks(split: Split, size: int) -> Chunks:
    return Chunks.among(split.trained_on, len(split.trained_on) + len(split.held_out), size)
