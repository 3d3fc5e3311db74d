"""The executor on a Dask cluster: rounds and calls get done, whatever happens to the cluster meanwhile.

It holds nothing that can't be had again. Tasks are pure, so their results are the same wherever and however often they
are computed. The state after the last finished round is in the coordinator's hands; of a large network, the state
after one of the last sixteen rounds is. When a worker dies, the others compute its tasks, if they hold all that these
take. For every other failure, a frozen worker or a scheduler that came back empty, there is one remedy: what is in
flight is cancelled and submitted again from that state. Nothing older is ever computed again.
"""

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from time import monotonic
from typing import Any, Literal, TypeVar

from ops.engines import Choice
from ops.engines.fingerprint import Fingerprint
from ops.network import Network
from ops.step_config import StepConfig
from service.cluster.background_calls import BackgroundCalls
from service.cluster.calls import PendingCalls
from service.cluster.code_version import is_load_error, why_cannot_load
from service.cluster.connection import LOST, RETURN_SECONDS, Cluster
from service.cluster.engine_choice import NoAnswer, WorkerReport, agreed_choice, ask_for_reports
from service.cluster.failure_policy import ATTEMPTS, FIRST_PATIENCE_SECONDS, FailurePolicy, TasksLost
from service.cluster.fingerprints import FingerprintGuard, common_fingerprint, why_excluded
from service.cluster.local_cluster import connected, open_cluster
from service.cluster.local_workers import LocalWorkers, Suited
from service.cluster.quarantine import Quarantine
from service.cluster.span_window import SpanWindow, num_threads
from service.cluster.stragglers import StragglerDetector
from service.cluster.submission import is_state_small
from service.cluster.window import RoundWindow
from service.config import ClusterConfig, TrainConfig
from service.errors import ClusterError
from service.rounds.executor import ClusterEvent
from service.rounds.job import Job
from service.rounds.plan import Round
from service.rounds.schedule import RoundSchedule
from service.rounds.tasks import RoundResult
from service.rounds.train_state import TrainState
from service.storage import Place

Grain = Literal["auto", "shard", "span"]
Result = TypeVar("Result")


class DaskExecutor:
    """Computes rounds on a Dask cluster. See `service.rounds.executor.Executor`.

    Attributes:
        cluster: the connection to its scheduler.
        grain: what a task is: the steps of one shard in one round, or a span, all shards of several rounds. `auto`
            takes spans while there is one worker, or all are threads of this process.
        data_memory: see `service.rounds.job.Job`.
    """

    def __init__(self, cluster: Cluster, grain: Grain = "auto", data_memory: int = 0) -> None:
        self.cluster = cluster
        self.grain = grain
        self.data_memory = data_memory
        self._quarantine = Quarantine()
        self._fingerprints: dict[str, Fingerprint] = {}
        self._guard: FingerprintGuard | None = None

    @property
    def num_workers(self) -> int:
        """How many workers there are, or were when the scheduler last answered, without those that get no tasks."""
        present = self._present()
        return len(set(present) - self._quarantine.excluded) if present else self.cluster.num_workers

    def choose_engine(self, config: TrainConfig, network: Network, step_config: StepConfig, store: Place) -> Choice:
        """The engine that the workers take. A worker that doesn't answer is quarantined. See `Executor`."""
        reports = self._reports(config, network, step_config, store)
        self._fingerprints = {worker: report.fingerprint for worker, report in reports.items() if report.fingerprint}
        return agreed_choice(reports, store)

    def match_fingerprint(self, choice: Choice, recorded: Fingerprint | None = None) -> Fingerprint:
        """The fingerprint of this training's workers. See `Executor`."""
        expected = common_fingerprint(self._fingerprints, recorded)
        for worker, found in self._fingerprints.items():
            if found != expected:
                self._quarantine.exclude(worker, why_excluded(worker, str(found), expected))
        self._guard = FingerprintGuard(choice, expected)
        return expected

    def run_rounds(
        self, job: Job, state: TrainState, first: Round | None, schedule: RoundSchedule
    ) -> Generator[RoundResult | ClusterEvent]:
        """Compute the rounds from `first` to the last. See `Executor`; what a task raises comes through as it is."""
        policy, stragglers, warm = FailurePolicy(), StragglerDetector(), set[str]()
        next_round = first
        if first is not None:
            yield from self._notices(first.number)
        while next_round is not None:
            workers = self._present()
            cold = not warm.issuperset(workers)
            window = self._window_type(job, workers)(
                *(self.cluster, job, state, next_round, schedule),
                quarantine=self._quarantine,
                warm=warm,
                patience_s=policy.patience_s(cold=cold),
            )
            resume_at = next_round.number
            try:
                with closing(self._watched(window, policy, stragglers, None if cold else monotonic())) as results:
                    for result in results:
                        if isinstance(result, RoundResult) and result.state is not None:
                            state, next_round = result.state, schedule.after(result.round)
                            resume_at = result.round.number + 1
                        yield result
            except TasksLost as lost:
                event = ClusterEvent(str(lost), resume_at, lost.num_tasks)
                yield event
                yield from self._notices(resume_at)
                policy.note_event(event)
                self._quarantine.add(lost.blocking)
                self.cluster.recover(reconnect=lost.reconnect, besides=self._quarantine.excluded)

    def map(self, function: Callable[..., Result], arguments: Sequence[tuple[Any, ...]]) -> list[Result]:
        """Call a pure function once for each tuple of arguments. See `Executor`.

        Raises:
            ClusterError: scheduler or workers stay away, or calls fail again and again.
        """
        calls = PendingCalls(self.cluster, function, arguments, self._quarantine, self._guard)
        failures, done = 0, 0
        while len(calls.returned) < len(arguments):
            try:
                calls.finish()
            except TasksLost as lost:
                failures = 0 if len(calls.returned) > done else failures + 1
                done = len(calls.returned)
                if failures > ATTEMPTS:
                    raise ClusterError(f"the same tasks failed {failures} times in a row ({lost})") from None
                calls.patience_s = FIRST_PATIENCE_SECONDS * 2**failures
                self._quarantine.add(lost.blocking)
                self.cluster.recover(reconnect=lost.reconnect, besides=self._quarantine.excluded)
        return [calls.returned[number] for number in range(len(arguments))]

    def begin(self, function: Callable[..., Result], arguments: Sequence[tuple[Any, ...]]) -> BackgroundCalls[Result]:
        """Call a pure function once for each tuple of arguments, beside the rounds. See `Executor`."""
        return BackgroundCalls(self.cluster, function, arguments, self._quarantine, self._guard)

    def _watched(
        self,
        window: RoundWindow | SpanWindow,
        policy: FailurePolicy,
        stragglers: StragglerDetector,
        since: float | None,
    ) -> Generator[RoundResult | ClusterEvent]:
        """A window's results and events, with what follows from them for patience and quarantine.

        Args:
            window: the window.
            policy: takes in what happens.
            stragglers: finds workers that keep a round waiting.
            since: when the wait for the first result began; None where that doesn't measure a round.
        """
        with closing(window.results()) as results:
            for result in results:
                if isinstance(result, ClusterEvent):
                    yield result
                    policy.note_event(result)
                    since = None
                    window.patience_s = max(window.patience_s, policy.patience_s())
                    continue
                policy.note_done(result.round)
                straggler = stragglers.find(result)
                self._quarantine.add(straggler)
                if not straggler:
                    policy.note_duration(since)
                yield result
                if straggler:
                    yield ClusterEvent("a worker lags behind", result.round.number + 1, 0, is_failure=False)
                yield from self._notices(result.round.number + 1)
                since = monotonic()
                window.patience_s = policy.patience_s()

    def _window_type(self, job: Job, workers: Sequence[str]) -> type[RoundWindow] | type[SpanWindow]:
        """What grain the next tasks have. A large network's state is too much to hand over with every span."""
        suits_spans = num_threads(job, workers) > 0 and is_state_small(job)
        takes_spans = self.grain == "span" or (self.grain == "auto" and suits_spans)
        return SpanWindow if takes_spans else RoundWindow

    def _notices(self, round_number: int) -> Iterator[ClusterEvent]:
        """The notices about workers without tasks that people have not seen yet."""
        for notice in self._quarantine.take_notices():
            yield ClusterEvent(notice, round_number, 0, is_failure=False)

    def _reports(
        self, config: TrainConfig, network: Network, step_config: StepConfig, store: Place
    ) -> dict[str, WorkerReport]:
        """What the workers say, also where the scheduler or a worker has to come back first."""
        losses, deadline = 0, monotonic() + RETURN_SECONDS
        while losses < ATTEMPTS:
            try:
                reports, errors = ask_for_reports(self.cluster, config, network, step_config, store)
                silent = set(self.cluster.workers) - reports.keys()
            except LOST:
                losses += 1
                self.cluster.recover(reconnect=True)
                continue
            except NoAnswer:
                if monotonic() > deadline:
                    raise
                self.cluster.recover(reconnect=False)
                continue
            self._note_versions(reports, errors)
            for worker in sorted(silent - self._quarantine.workers):
                self._quarantine.notify(f"worker {worker} gets no tasks for now: it does not answer")
            self._quarantine.add(silent)
            return reports
        raise ClusterError(f"the Dask scheduler at {self.cluster.address} was lost {ATTEMPTS} times in a row")

    def _note_versions(self, reports: Mapping[str, WorkerReport], errors: Mapping[str, Exception]) -> None:
        """Leave a notice about each worker with another version of the code; one that can't load tasks gets none."""
        for worker, error in errors.items():
            if is_load_error(error):
                self._quarantine.exclude(worker, why_cannot_load(worker, error))
        for worker, report in sorted(reports.items()):
            self._quarantine.note_code(worker, report.code)

    def _present(self) -> list[str]:
        """The workers there are; none where the scheduler was lost just now, which the window will notice."""
        with suppress(*LOST):
            return self.cluster.workers
        return []


@contextmanager
def open_executor(config: ClusterConfig, *, suited: Suited = LocalWorkers) -> Iterator[DaskExecutor]:
    """An executor on the configured cluster; see `open_cluster`."""
    with open_cluster(config, suited=suited) as cluster:
        yield DaskExecutor(cluster, data_memory=config.data_memory)


@contextmanager
def connected_executor(address: str, data_memory: int = 0) -> Iterator[DaskExecutor]:
    """An executor of one's own on a scheduler that runs already; see `connected` and `service.rounds.job.Job`."""
    with connected(address) as cluster:
        yield DaskExecutor(cluster, data_memory=data_memory)
