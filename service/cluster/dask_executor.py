"""The parameter-averaging coordinator: has rounds computed on a cluster, whatever happens to the cluster meanwhile.

It holds nothing that can't be had again. Tasks are pure, so their answers are the same wherever and however often they
are computed; and the state after the last finished round, of a large network after one of the last sixteen, is in the
coordinator's hands. What a worker had that died is computed by the others, if they hold all that it takes. For every
other trouble, a worker that froze, a scheduler that came back empty, there is one move: let go of what is in flight and
go on from that state. Nothing older is ever computed again.
"""

from collections.abc import Generator
from dataclasses import dataclass, field
from math import inf
from time import monotonic

from distributed.client import ClosedClientError

from service.cluster.connection import RETURN_SECONDS, Cluster
from service.cluster.in_flight import Disturbed, Window
from service.errors import ClusterError
from service.rounds.executor import ClusterEvent
from service.rounds.job import Job
from service.rounds.plan import Round
from service.rounds.schedule import RoundSchedule
from service.rounds.tasks import RoundResult
from service.rounds.train_state import TrainState

ATTEMPTS = 6
"""How many times in a row the same round may be disturbed before its own tasks are held to be the cause."""

FIRST_PATIENCE_SECONDS = 120.0
"""How long an answer may take while workers load data and compile kernels: a run's first one, and where one is cold."""

LEAST_PATIENCE_SECONDS = 3.0
PATIENCE_ROUNDS = 5
"""After that a round may take so many times as long as the longest so far."""

AVOID_SECONDS = 30.0
"""How long a worker that kept others waiting gets no tasks; twice as long each time that it does so again."""


SLOW_FACTOR = 4
SLOW_SECONDS = 0.5
"""A worker lags if its shard took so many times as long as it would have taken elsewhere, and so much longer."""


@dataclass
class FailurePolicy:
    """What the coordinator remembers of how a run went. None of it can change a bit of the result.

    failures: how often in a row the round after the furthest was struck. longest_round_s, best_example_s: how long the
    longest round took to be answered, and the quickest shard for an example.
    """

    furthest: int = -1
    failures: int = 0
    longest_round_s: float = 0.0
    best_example_s: float = inf
    avoided_until: dict[str, float] = field(default_factory=dict)
    offences: dict[str, int] = field(default_factory=dict)
    warm: set[str] = field(default_factory=set)

    def patience(self, *, cold: bool = False) -> float:
        """How many seconds an answer may take, twice as long after each failure. cold: workers may be starting up."""
        if cold or not self.longest_round_s:
            return FIRST_PATIENCE_SECONDS
        return 2**self.failures * max(LEAST_PATIENCE_SECONDS, PATIENCE_ROUNDS * self.longest_round_s)

    def reached(self, round_: Round) -> None:
        """Note that a round is done."""
        if round_.number > self.furthest:
            self.furthest, self.failures = round_.number, 0

    def disturbed(self, trouble: ClusterEvent) -> None:
        """Count a disturbance that struck the round at hand. Raises ClusterError where there were too many in a row."""
        if not trouble.is_failure:
            return
        self.failures += 1
        if self.failures > ATTEMPTS:
            number = max(trouble.round, self.furthest + 1)
            raise ClusterError(
                f"round {number} was disturbed {self.failures} times in a row ({trouble.why}); "
                "`atelier runs resume` continues the run"
            ) from None

    def avoided(self) -> frozenset[str]:
        """The workers that get no tasks for now."""
        now = monotonic()
        return frozenset(worker for worker, until in self.avoided_until.items() if until > now)

    def took(self, asked: float | None) -> None:
        """Note the time since an answer was asked for; None where it doesn't measure a round."""
        if asked is not None:
            self.longest_round_s = max(self.longest_round_s, monotonic() - asked)

    def straggler(self, report: RoundResult) -> frozenset[str]:
        """The worker that made a round last, if one did: measured against another in it, or the best there was."""
        quickest, slowest = report.quickest, report.slowest
        apart = quickest.worker != slowest.worker
        usual_s = quickest.example_s if apart else self.best_example_s
        self.best_example_s = min(self.best_example_s, quickest.example_s)
        late_s = (slowest.example_s - usual_s) * report.examples / report.round.shards
        lags = slowest.example_s > SLOW_FACTOR * usual_s and late_s > SLOW_SECONDS
        return frozenset([slowest.worker]) if lags else frozenset()

    def suspect(self, workers: frozenset[str]) -> None:
        """Keep away from workers that kept everybody waiting, as far as that isn't done already."""
        for worker in workers - self.avoided():
            self.offences[worker] = self.offences.get(worker, 0) + 1
            self.avoided_until[worker] = monotonic() + AVOID_SECONDS * 2 ** (self.offences[worker] - 1)


def coordinate(
    cluster: Cluster, job: Job, start: TrainState, first: Round | None, schedule: RoundSchedule
) -> Generator[RoundResult | ClusterEvent]:
    """The reports of all rounds from `first` on, in order, and whatever disturbed them on the way.

    A round may be reported again after a disturbance. Raises ClusterError where scheduler or workers stay away, or
    where a round is disturbed again and again; whatever else a task raises comes through as it is.
    """
    watch, state, following = FailurePolicy(), start, first
    while following is not None:
        cold = not watch.warm.issuperset(_present(cluster))
        going_on_from = following.number
        asked = None if cold else monotonic()
        patience = watch.patience(cold=cold)
        window = Window(
            cluster, job, state, following, schedule, avoided=watch.avoided, warm=watch.warm, patience=patience
        )
        reports = window.reports()
        try:
            for told in reports:
                if isinstance(told, ClusterEvent):
                    yield told
                    watch.disturbed(told)
                    asked = None
                    window.patience = max(window.patience, watch.patience())
                    continue
                watch.reached(told.round)
                straggler = watch.straggler(told)
                if straggler:
                    watch.suspect(straggler)
                else:
                    watch.took(asked)
                if told.state is not None:
                    state, following = told.state, schedule.after(told.round)
                    going_on_from = told.round.number + 1
                yield told
                if straggler:
                    yield ClusterEvent("a worker lags behind", told.round.number + 1, 0, is_failure=False)
                asked = monotonic()
                window.patience = watch.patience()
        except Disturbed as trouble:
            disturbance = ClusterEvent(str(trouble), going_on_from, trouble.tasks)
            yield disturbance
            watch.disturbed(disturbance)
            watch.suspect(trouble.suspects)
            _recover(cluster, anew=trouble.unanswered)
        finally:
            reports.close()


def _present(cluster: Cluster) -> list[str]:
    """The workers there are; none where the scheduler went away this moment, which the window will notice."""
    try:
        return cluster.workers
    except (OSError, ClosedClientError):
        return []


def _recover(cluster: Cluster, *, anew: bool) -> None:
    """Have a scheduler and a worker again, by a new connection where the old one can't be relied on."""
    try:
        if cluster.is_connected and not anew:
            cluster.wait_for_worker(RETURN_SECONDS)
        else:
            cluster.reconnect()
    except OSError:
        cluster.reconnect()
