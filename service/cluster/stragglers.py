"""Which worker is a straggler: it takes several times as long for its shard as another one would."""

from dataclasses import dataclass
from math import inf

from service.rounds.tasks import RoundResult

STRAGGLER_FACTOR = 4
STRAGGLER_SECONDS = 0.5
"""A straggler takes so many times as long for its shard as the quickest worker would, and so much longer."""


@dataclass
class StragglerDetector:
    """Finds stragglers by what each round says of its quickest and its slowest shard.

    Attributes:
        best_example_s: the shortest time that a shard took for an example in any round so far.
    """

    best_example_s: float = inf

    def find(self, result: RoundResult) -> frozenset[str]:
        """The worker that kept a round waiting, if one did.

        It is compared with the quickest worker of the same round. Where one worker computed all shards, it is compared
        with the quickest shard of any round so far.
        """
        quickest, slowest = result.quickest, result.slowest
        usual_s = quickest.example_s if quickest.worker != slowest.worker else self.best_example_s
        self.best_example_s = min(self.best_example_s, quickest.example_s)
        late_s = (slowest.example_s - usual_s) * result.examples / result.round.shards
        is_late = slowest.example_s > STRAGGLER_FACTOR * usual_s and late_s > STRAGGLER_SECONDS
        return frozenset([slowest.worker]) if is_late else frozenset()
