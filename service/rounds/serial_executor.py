"""Rounds without a cluster: the same pure functions, called one after another in this process."""

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from ops.engines import Choice, choose
from ops.engines.fingerprint import Fingerprint, fingerprint_of
from ops.errors import Unsupported
from ops.network import Network
from ops.step_config import StepConfig
from service.config import TrainConfig
from service.data.store import why_unreadable
from service.errors import ClusterError, InvalidInput
from service.rounds.averaging import tree_of_sums
from service.rounds.job import Job
from service.rounds.plan import Round
from service.rounds.schedule import RoundSchedule
from service.rounds.tasks import RoundResult, round_result, shard_updates
from service.rounds.train_state import TrainState
from service.storage import Place

Result = TypeVar("Result")


class SerialExecutor:
    """Computes rounds in this process, one shard after another. See `service.rounds.executor.Executor`."""

    num_workers = 1
    data_memory = 0

    def choose_engine(self, config: TrainConfig, network: Network, step_config: StepConfig, store: Place) -> Choice:
        """The engine that this machine takes. Raises ClusterError without the data, InvalidInput without the engine."""
        if why := why_unreadable(store):
            raise ClusterError(f"this process can't see {store}: {why}")
        try:
            return choose(network, step_config, engine=config.engine, device=config.device)
        except Unsupported as error:
            raise InvalidInput(str(error)) from None

    def match_fingerprint(self, choice: Choice, recorded: Fingerprint | None = None) -> Fingerprint:
        """This process's fingerprint. Raises ClusterError where it differs from the recorded one."""
        found = fingerprint_of(choice)
        if recorded not in (None, found):
            raise ClusterError(f"the run was computed by {recorded}; this process is {found}")
        return found

    def run_rounds(
        self, job: Job, state: TrainState, first: Round | None, schedule: RoundSchedule
    ) -> Generator[RoundResult]:
        """Compute the rounds from `first` to the last. Every result has its state; there are no events."""
        next_round = first
        while next_round is not None:
            result = run_round(job, state, next_round)
            yield result
            assert result.state is not None
            schedule.note(next_round, result.measured)
            state, next_round = result.state, schedule.after(next_round)

    def map(self, function: Callable[..., Result], arguments: Sequence[tuple[Any, ...]]) -> list[Result]:
        """Call the function for each tuple of arguments, one after another."""
        return [function(*given) for given in arguments]

    def begin(self, function: Callable[..., Result], arguments: Sequence[tuple[Any, ...]]) -> "SerialCalls[Result]":
        """Calls that are made when their results are first looked for."""
        return SerialCalls(function, arguments)


@dataclass(frozen=True)
class SerialCalls(Generic[Result]):
    """Calls that this process makes itself. See `service.rounds.executor.BackgroundCalls`.

    Attributes:
        function: a pure function.
        arguments: for each call.
    """

    function: Callable[..., Result]
    arguments: Sequence[tuple[Any, ...]]

    def poll(self) -> list[Result]:
        """Make the calls."""
        return [self.function(*given) for given in self.arguments]

    def cancel(self) -> None:
        """There is nothing to withdraw."""


def run_round(job: Job, start: TrainState, round_: Round, worker: str = "") -> RoundResult:
    """Compute one round. The result has the state after it.

    Args:
        job: the training.
        start: the state that the round begins with.
        round_: the round.
        worker: see `shard_updates`.
    """
    parts = tree_of_sums(shard_updates(job, round_, range(round_.shards), start, worker))
    return round_result(job, (round_, parts), with_state=True)
