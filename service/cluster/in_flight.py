"""The rounds in flight: submitted ahead of time, so that the scheduler's latency hides behind the work."""

from collections import deque

from service.cluster.connection import Cluster
from service.cluster.submission import RoundInput, RoundSubmitter, SubmittedRound
from service.rounds.plan import ROUNDS_AHEAD, Round
from service.rounds.schedule import RoundSchedule
from service.rounds.train_state import TrainState

AHEAD = ROUNDS_AHEAD
"""How many rounds are with the scheduler at a time. The next may depend on the result of the one that many before."""

CHAIN_TASKS = 1000
CHAIN_ROUNDS = 64
"""No round is submitted after so many rounds and tasks, from the next round on whose result brings the state.

Each result is computed from others, and Dask's scheduler keeps how, back to the first, for as long as one is in use.
A new chain starts from the state.
"""


class RoundsInFlight:
    """The rounds that are submitted and whose results are not taken yet, oldest first."""

    def __init__(
        self, cluster: Cluster, submitter: RoundSubmitter, schedule: RoundSchedule, first: Round, state: TrainState
    ) -> None:
        """Nothing is in flight yet.

        Args:
            cluster: where the rounds are computed.
            submitter: submits them.
            schedule: which round follows which.
            first: the round to begin with.
            state: what it starts from.
        """
        self._cluster = cluster
        self._submitter = submitter
        self._schedule = schedule
        self._first = first
        self._first_input: RoundInput = state
        self._rounds: deque[SubmittedRound] = deque()
        self._last: SubmittedRound | None = None
        self._chain_rounds = 0
        self._chain_tasks = 0

    def __len__(self) -> int:
        return len(self._rounds)

    @property
    def current(self) -> SubmittedRound:
        """The oldest one, whose result is waited for."""
        return self._rounds[0]

    @property
    def num_tasks(self) -> int:
        """How many tasks all of them have."""
        return sum(len(tasks) for tasks in self._rounds)

    def fill(self) -> None:
        """Submit rounds until `AHEAD` are in flight, or the chain or the run ends."""
        while len(self._rounds) < AHEAD and (round_ := self._next_round()):
            self._submit(round_, self._last.output if self._last else self._first_input)

    def take_current(self) -> None:
        """Leave the oldest one to itself: its result is taken."""
        self._rounds.popleft()

    def withdraw_not_begun(self) -> int:
        """Cancel the rounds that have not begun, as far as can be told: shards of the round before are not done."""
        begun = 1
        while begun < len(self._rounds) and all(task.done() for task in self._rounds[begun - 1].shards):
            begun += 1
        return self.withdraw(keep=begun)

    def withdraw(self, *, keep: int) -> int:
        """Cancel all rounds but the oldest ones. `fill` submits them again.

        Args:
            keep: how many stay in flight, at least 1.

        Returns:
            How many tasks were cancelled.
        """
        rounds = list(self._rounds)
        kept, withdrawn = rounds[:keep], rounds[keep:]
        if withdrawn:
            self._rounds, self._last = deque(kept), kept[-1]
            self._cluster.cancel(group for tasks in withdrawn for group in tasks.groups)
        return sum(len(tasks) for tasks in withdrawn)

    def resubmit_current(self, state: TrainState) -> int:
        """Cancel everything and submit the oldest round again, from the state that it starts from."""
        round_, withdrawn = self.current.round, self.cancel()
        self._submit(round_, state)
        return withdrawn

    def cancel(self) -> int:
        """Cancel everything. Returns how many tasks that were."""
        num_tasks, rounds = self.num_tasks, list(self._rounds)
        self._rounds.clear()
        self._cluster.cancel(group for tasks in rounds for group in tasks.groups)
        return num_tasks

    def _submit(self, round_: Round, before: RoundInput) -> None:
        self._last = self._submitter.submit_round(round_, before)
        self._rounds.append(self._last)
        self._chain_rounds += 1
        self._chain_tasks += len(self._last)

    def _next_round(self) -> Round | None:
        if self._last is None:
            return self._first
        is_long = self._chain_rounds >= CHAIN_ROUNDS and self._chain_tasks >= CHAIN_TASKS
        if is_long and self._submitter.brings_state(self._last.round):
            return None
        return self._schedule.after(self._last.round)
