"""Pure function calls that a cluster makes beside the rounds of a training, without anybody waiting for them."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from service.cluster.calls import PendingCalls
from service.cluster.connection import Cluster
from service.cluster.failure_policy import ATTEMPTS, TasksLost
from service.cluster.fingerprints import FingerprintGuard
from service.cluster.quarantine import Quarantine
from service.errors import ClusterError

Result = TypeVar("Result")


class BackgroundCalls(PendingCalls[Result]):
    """Calls beside rounds. See `service.rounds.executor.BackgroundCalls`.

    Whoever waits for the rounds finds out that a worker or the scheduler is gone or frozen, and brings the connection
    back. All that is left to do here is to make the calls again that were lost with it.
    """

    def __init__(
        self,
        cluster: Cluster,
        function: Callable[..., Result],
        arguments: Sequence[tuple[Any, ...]],
        quarantine: Quarantine,
        guard: FingerprintGuard | None = None,
    ) -> None:
        """Submit the calls. See `PendingCalls` for the arguments."""
        super().__init__(cluster, function, arguments, quarantine, guard)
        self._client = cluster.client
        self._workers: frozenset[str] = frozenset()
        self._failures = 0
        self.poll()

    def poll(self) -> list[Result] | None:
        """What the calls returned, once all have. Raises ClusterError where they fail again and again."""
        if not self._cluster.is_connected:
            return None
        try:
            self._forget_lost()
            self._submit_missing()
            self._take(self._finished())
        except TasksLost as lost:
            self.cancel()
            self._failures += 1
            if self._failures > ATTEMPTS:
                raise ClusterError(f"the same tasks failed {self._failures} times in a row ({lost})") from None
        if len(self.returned) < len(self._arguments):
            return None
        return [self.returned[number] for number in range(len(self._arguments))]

    def _forget_lost(self) -> None:
        """Have calls submitted again whose connection is gone. Those of a worker that left Dask makes again itself."""
        with self._scheduler_needed():
            workers = frozenset(self._cluster.workers)
        if self._client is not self._cluster.client:
            self._client = self._cluster.client
            self._calls.clear()
        elif not self._workers <= workers:
            self._fetch_again()
        self._workers = workers
