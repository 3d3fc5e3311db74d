"""How long an answer may take, and when a run gives up."""

from dataclasses import dataclass
from time import monotonic

from service.errors import ClusterError
from service.rounds.executor import ClusterEvent
from service.rounds.plan import Round

ATTEMPTS = 6
"""How many times in a row the same round may fail before its own tasks are held to be the cause."""

FIRST_PATIENCE_SECONDS = 120.0
"""How long an answer may take while workers load data and compile kernels: a run's first one, and with cold workers."""

LEAST_PATIENCE_SECONDS = 3.0
PATIENCE_ROUNDS = 5
"""After that a round may take so many times as long as the longest one so far."""


class TasksLost(Exception):
    """Tasks were lost or are overdue, and have to be submitted again.

    Attributes:
        num_tasks: how many were in flight.
        blocking: the workers that kept an overdue answer.
        reconnect: whether the connection may still be busy with an answer that nobody waits for, and is better made
            again.
    """

    def __init__(
        self, why: str, num_tasks: int, blocking: frozenset[str] = frozenset(), *, reconnect: bool = False
    ) -> None:
        super().__init__(why)
        self.num_tasks = num_tasks
        self.blocking = blocking
        self.reconnect = reconnect


@dataclass
class FailurePolicy:
    """What one run of rounds teaches about the cluster. None of it can change a bit of the result.

    Attributes:
        furthest: the number of the last round that was ever done.
        failures: how many times in a row the round after it failed.
        longest_round_s: the longest time that a round's answer took.
    """

    furthest: int = -1
    failures: int = 0
    longest_round_s: float = 0.0

    def patience_s(self, *, cold: bool = False) -> float:
        """How many seconds an answer may take. It doubles with each failure.

        Args:
            cold: whether some workers may still have to load the data and compile the engine.
        """
        longest = PATIENCE_ROUNDS * self.longest_round_s
        least = FIRST_PATIENCE_SECONDS if cold or not longest else LEAST_PATIENCE_SECONDS
        return 2**self.failures * max(least, longest)

    def note_done(self, round_: Round) -> None:
        """Take in that a round is done."""
        if round_.number > self.furthest:
            self.furthest, self.failures = round_.number, 0

    def note_duration(self, since: float | None) -> None:
        """Take in how long an answer took.

        Args:
            since: when the wait for it began, by the monotonic clock; None where that doesn't measure a round.
        """
        if since is not None:
            self.longest_round_s = max(self.longest_round_s, monotonic() - since)

    def note_event(self, event: ClusterEvent) -> None:
        """Count an event that is a failure. Raises ClusterError where the same round failed too often."""
        if not event.is_failure:
            return
        self.failures += 1
        if self.failures > ATTEMPTS:
            number = max(event.round, self.furthest + 1)
            raise ClusterError(
                f"round {number} was disturbed {self.failures} times in a row ({event.why}); "
                "`atelier runs resume` continues the run"
            ) from None
