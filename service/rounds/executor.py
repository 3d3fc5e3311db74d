"""What gets the rounds of a training done: in this process, or on a cluster."""

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from ops.engines import Choice
from ops.engines.fingerprint import Fingerprint
from ops.network import Network
from ops.step_config import StepConfig
from service.config import TrainConfig
from service.rounds.job import Job
from service.rounds.plan import Round
from service.rounds.schedule import RoundSchedule
from service.rounds.tasks import RoundResult
from service.rounds.train_state import TrainState
from service.storage import Place

Result = TypeVar("Result")
Result_co = TypeVar("Result_co", covariant=True)


@dataclass(frozen=True)
class ClusterEvent:
    """Something happened to the cluster while rounds were computed. None of it changes their results.

    Attributes:
        why: what happened, for people.
        round: the number of the round with which the work goes on.
        tasks: how many submitted tasks were withdrawn because of it.
        is_failure: whether the current round lost a task by it, or was given up; too many in a row end the run.
    """

    why: str
    round: int
    tasks: int
    is_failure: bool = True


class BackgroundCalls(Protocol[Result_co]):
    """Calls of a pure function that are made while rounds are computed."""

    def poll(self) -> Sequence[Result_co] | None:
        """What the calls returned, in order, once all have; None until then. Calls that were lost are made again.

        Never waits. What a call raises comes through as it is.
        """

    def cancel(self) -> None:
        """Withdraw the calls."""


class Executor(Protocol):
    """Computes rounds. Whichever executor does it, on however many workers, the results are the same, bit for bit."""

    @property
    def data_memory(self) -> int:
        """What jobs that it computes have as their `data_memory`."""

    @property
    def num_workers(self) -> int:
        """How many workers there are at the moment that may take tasks."""

    def choose_engine(self, config: TrainConfig, network: Network, step_config: StepConfig, store: Place) -> Choice:
        """The engine that all workers take for a training, once each of them is known to see its data.

        Args:
            config: which engine and device are configured.
            network: what is trained.
            step_config: how each step is taken.
            store: the data set's folder.

        Raises:
            ClusterError: a worker can't see the store, or the workers differ.
            InvalidInput: no worker can run what is configured.
        """

    def match_fingerprint(self, choice: Choice, recorded: Fingerprint | None = None) -> Fingerprint:
        """The fingerprint that tasks are computed with from now on. Workers that differ from it get no tasks.

        Args:
            choice: what `choose_engine` returned.
            recorded: the fingerprint that a run began with; None where it has none.

        Raises:
            ClusterError: all workers differ from the recorded one.
        """

    def run_rounds(
        self, job: Job, state: TrainState, first: Round | None, schedule: RoundSchedule
    ) -> Generator[RoundResult | ClusterEvent]:
        """Compute the rounds of a job, from `first` to the last.

        Args:
            job: the training.
            state: what `first` starts from.
            first: the round to begin with; None where the run is at its end already.
            schedule: which round follows which. It is kept up to date with what each round measured.

        Yields:
            The result of each round, in order, and events. A round may be yielded again after an event.

        Raises:
            ClusterError: scheduler or workers stay away, or the same round fails again and again.
        """

    def map(self, function: Callable[..., Result], arguments: Sequence[tuple[Any, ...]]) -> list[Result]:
        """Call a pure function once for each tuple of arguments, and return what it returned, in that order.

        A call whose worker dies is made again by another, as a round's tasks are.
        """

    def begin(self, function: Callable[..., Result], arguments: Sequence[tuple[Any, ...]]) -> BackgroundCalls[Result]:
        """Call a pure function once for each tuple of arguments, beside the rounds that are computed meanwhile."""
