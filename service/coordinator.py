"""The parameter-averaging coordinator: submits rounds ahead of time and writes down what came of them.

It holds nothing that can't be had again. A round's tasks are pure, so whatever is lost is computed once more; the
state after every finished round is in its hands, the log and the checkpoints are on the disk.
"""

from collections import deque
from collections.abc import Generator
from contextlib import suppress
from dataclasses import dataclass
from secrets import token_hex

from distributed import Client, Future, KilledWorker
from distributed import TimeoutError as DaskTimeoutError

from service.averaging import FAN_IN, State
from service.errors import AtelierError, ClusterError
from service.job import Job
from service.plan import Round
from service.rounds import Report, local_round, partial_sum, report

AHEAD = 4
"""How many rounds are with the scheduler at a time, so that its latency hides behind the work."""

KEEP_STATE_BYTES = 4 << 20
"""Up to this size the state comes back after every round; a larger one only where an epoch ends."""


@dataclass(frozen=True)
class _Flight:
    """A round that was submitted: what its shards will hand in, and what the coordinator will read."""

    round: Round
    parts: list[Future]
    report: Future


class Pipeline:
    """Rounds on their way through the cluster, from a given state on, at most `ahead` at a time."""

    def __init__(self, client: Client, job: Job, start: State, first: Round | None, *, ahead: int = AHEAD) -> None:
        self._client = client
        self._job = job
        self._next = first
        self._before: State | tuple[Round, list[Future]] = start
        self._ahead = ahead
        self._flights: deque[_Flight] = deque()
        self._name = token_hex(4)

    def reports(self) -> Generator[Report]:
        """The reports of all rounds, in order; closing the iterator releases what is still in flight."""
        try:
            while self._fill():
                yield self._wait(self._flights[0].report)
                self._flights.popleft()
        finally:
            self.cancel()

    def cancel(self) -> None:
        """Have the scheduler forget every round that is still on its way."""
        futures = [future for flight in self._flights for future in (*flight.parts, flight.report)]
        self._flights.clear()
        if futures and self._client.status == "running":
            with suppress(OSError, DaskTimeoutError):
                self._client.cancel(futures, force=True)

    def _fill(self) -> bool:
        """Submit rounds up to the limit; False when nothing is left to wait for."""
        while self._next is not None and len(self._flights) < self._ahead:
            self._submit(self._next)
            self._next = self._job.plan.round_after(self._next)
        return bool(self._flights)

    def _submit(self, round_: Round) -> None:
        tag = f"{self._name}-{round_.number}"
        if isinstance(self._before, State):
            self._before = self._client.submit(_given, self._before, key=f"start-{tag}", pure=False)
        parts = [
            self._client.submit(
                local_round, self._job, round_, shard, self._before, key=f"round-{tag}-{shard}", pure=False, retries=2
            )
            for shard in range(round_.shards)
        ]
        level = 0
        while len(parts) > FAN_IN:
            groups = [parts[low : low + FAN_IN] for low in range(0, len(parts), FAN_IN)]
            parts = [
                self._client.submit(partial_sum, group, key=f"sum-{tag}-{level}-{index}", pure=False, retries=2)
                for index, group in enumerate(groups)
            ]
            level += 1
        self._before = (round_, parts)
        last_of_epoch = round_.last == self._job.plan.steps_per_epoch
        small = 3 * 4 * self._job.network.size <= KEEP_STATE_BYTES
        final = self._client.submit(
            report,
            self._job,
            self._before,
            with_state=small or last_of_epoch,
            key=f"report-{tag}",
            pure=False,
            retries=2,
        )
        self._flights.append(_Flight(round_, parts, final))

    def _wait(self, future: Future) -> Report:
        try:
            answer: Report = future.result()
        except KilledWorker as error:
            raise ClusterError(f"a task took its worker down with it again and again: {error}") from None
        except AtelierError:
            raise
        return answer


def _given(state: State) -> State:
    """Puts a state that the coordinator holds where tasks can find it."""
    return state
