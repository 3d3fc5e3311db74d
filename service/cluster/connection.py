"""A connection to a Dask scheduler: every question to it has a time limit, and a lost scheduler is found again."""

import logging
from asyncio import CancelledError as CancelledByLoop
from asyncio import ensure_future, gather, wait
from collections.abc import Awaitable, Callable, Iterable, Iterator
from concurrent.futures import CancelledError
from contextlib import contextmanager, suppress
from functools import partial
from time import monotonic, sleep
from typing import Any, TypeVar

from distributed import Client, Future
from distributed.client import ClosedClientError

from service.cluster.handshake import is_answering, why_no_answer
from service.cluster.membership import Membership
from service.cluster.workers import WorkerInfo, silent_workers, why_none_runs
from service.errors import ClusterError

Answer = TypeVar("Answer")

CONNECT_SECONDS = 5
"""How long a scheduler has to answer, unless it is one of this process, and to have a worker, when a run begins."""

RETURN_SECONDS = 60
"""How long a scheduler or the last worker that went away has to come back before a run gives up."""

ANSWER_SECONDS = 20.0
"""How long a scheduler may take to answer a question, before it is held to be gone."""

PROBE_SECONDS = 60.0
"""How long a worker may take to answer a direct question: it may still have to import its libraries."""

LOST = (OSError, ClosedClientError, CancelledError)
"""What Dask raises where the connection is lost or closed. A TimeoutError is an OSError."""


class Cluster:
    """A connection to a scheduler that can be made again after the scheduler was gone for a while.

    Attributes:
        address: the scheduler's address.
        client: the current connection. Only calls that don't wait for an answer are made on it directly; see `ask`.
        membership: which workers joined and left.
    """

    def __init__(self, address: str, *, direct: bool = False) -> None:
        """Connect to the scheduler at an address.

        Args:
            address: the scheduler's address.
            direct: fetch results straight from the workers, which must be within reach, not through the scheduler.

        Raises:
            ClusterError: no scheduler answers.
        """
        self.membership = Membership()
        self._workers: list[str] = []
        self._workers_as_of = -1  # `membership.changes` when the scheduler answered that
        self._answered_at = 0.0
        self._subscribed_comm: Any = None
        self.address, self._direct = address, direct
        self.client = self._connect()

    @property
    def workers(self) -> list[str]:
        """Addresses of the current workers. The scheduler is asked only after one joined or left."""
        changes = self.membership.changes
        if changes != self._workers_as_of:
            self._workers = sorted(self.ask(lambda client: client.scheduler.ncores()))
            self._workers_as_of = changes
        return self._workers

    @property
    def num_workers(self) -> int:
        """How many workers there are, or were when the scheduler last answered."""
        with suppress(*LOST):
            return len(self.workers)
        return len(self._workers)

    @property
    def has_thread_workers(self) -> bool:
        """Whether the workers are threads of this process."""
        return self.address.startswith("inproc://")

    @property
    def is_connected(self) -> bool:
        """Whether the scheduler is there, as far as is known, on the connection that reports joins and departures.

        Dask replaces a lost connection by itself, but events are not subscribed to on the new one.
        """
        return bool(self.client.status == "running" and self.client.scheduler_comm is self._subscribed_comm)

    def processing(self) -> dict[str, list[str]]:
        """The keys of the tasks that each worker has been assigned and has not finished."""
        return dict(self.ask(lambda client: client.scheduler.processing()))

    def who_has(self, keys: Iterable[str]) -> dict[str, list[str]]:
        """The workers that hold each of these results."""
        return dict(self.ask(lambda client: client.scheduler.who_has(keys=list(keys))))

    def worker_info(self) -> dict[str, WorkerInfo]:
        """What the scheduler knows of each worker, by address."""
        return self.ask(_worker_info)

    def ask(self, question: Callable[[Client], Awaitable[Answer]], seconds: float | None = None) -> Answer:
        """Have a question answered that leaves this process. Everything that waits for an answer goes through here.

        Args:
            question: called with the client, in the client's event loop.
            seconds: the time limit, by default `ANSWER_SECONDS`.

        Raises:
            OSError: no answer in time, or the connection is closed.
        """

        async def ask(client: Client) -> Answer:
            if client.scheduler is None:
                raise ConnectionError("the connection to the scheduler is closed")
            return await question(client)

        answer: Answer = self.client.sync(ask, self.client, callback_timeout=seconds or ANSWER_SECONDS)
        self._answered_at = monotonic()
        return answer

    def keep_in_touch(self) -> None:
        """Ask the scheduler something if it hasn't answered for a while. Raises OSError where it doesn't answer."""
        if monotonic() - self._answered_at > ANSWER_SECONDS:
            self.ask(lambda client: client.scheduler.ncores())

    def ask_workers(self, function: Callable[..., Answer], *arguments: Any) -> dict[str, Answer | Exception]:
        """Call a function in every worker's process, outside of its tasks.

        Returns:
            What each worker returned or raised, by address. A worker is left out that doesn't answer in time, or whose
            heartbeats stopped.

        Raises:
            OSError: the scheduler is lost.
        """

        async def ask_one(client: Client, worker: str) -> Any:
            answers = await client.run(function, *arguments, workers=[worker], on_error="return")
            return answers[worker]

        async def ask_all(client: Client) -> dict[str, Answer | Exception]:
            questions = {worker: ensure_future(ask_one(client, worker)) for worker in workers}
            pending, deadline = set(questions.values()), monotonic() + PROBE_SECONDS
            while pending and monotonic() < deadline:
                _, pending = await wait(pending, timeout=1.0)
                silent = silent_workers(await _worker_info(client)) if pending else frozenset()
                if all(question.done() or worker in silent for worker, question in questions.items()):
                    break
            for question in pending:
                question.cancel()
            await gather(*questions.values(), return_exceptions=True)
            answered = {worker: question for worker, question in questions.items() if not question.cancelled()}
            return {w: question.result() for w, question in answered.items() if question.exception() is None}

        workers = self.workers
        answers = self.ask(ask_all, PROBE_SECONDS + ANSWER_SECONDS)
        return {worker: answer for worker, answer in answers.items() if not isinstance(answer, OSError)}

    def wait_for_worker(self, seconds: float, *, besides: frozenset[str] = frozenset()) -> None:
        """Return as soon as a worker can take tasks.

        Args:
            seconds: how long to wait.
            besides: workers that don't count.

        Raises:
            ClusterError: none can in time; the message says whether there is none, or Dask paused it.
            OSError: the scheduler is lost.
        """
        deadline = monotonic() + seconds
        while True:
            workers = {worker: info for worker, info in self.worker_info().items() if worker not in besides}
            if any(info.runs for info in workers.values()):
                return
            if monotonic() > deadline:
                raise ClusterError(why_none_runs(self.address, workers))
            sleep(0.1)

    def reconnect(self, *, besides: frozenset[str] = frozenset()) -> None:
        """Find the scheduler again, and a worker with it.

        Args:
            besides: workers that don't count.

        Raises:
            ClusterError: they don't come back in time.
        """
        self.close()
        deadline = monotonic() + RETURN_SECONDS
        while True:
            try:
                self.client = self._connect()
                self.wait_for_worker(RETURN_SECONDS, besides=besides)
                return
            except LOST:
                problem = "was lost again and again"
            except ClusterError:
                if self.is_connected:
                    raise
                problem = "went away and did not come back"
            if monotonic() > deadline:
                raise ClusterError(
                    f"the Dask scheduler at {self.address} {problem} within {RETURN_SECONDS} s; "
                    "`atelier runs resume` continues the run when it has"
                ) from None
            sleep(0.5)

    def recover(self, *, reconnect: bool, besides: frozenset[str] = frozenset()) -> None:
        """Wait until there is a scheduler and a worker.

        Args:
            reconnect: don't rely on the connection that there is.
            besides: workers that don't count.

        Raises:
            ClusterError: they don't come back in time.
        """
        if self.is_connected and not reconnect:
            with suppress(*LOST):
                return self.wait_for_worker(RETURN_SECONDS, besides=besides)
        return self.reconnect(besides=besides)

    def cancel(self, groups: Iterable[list[Future]]) -> None:
        """Have the scheduler forget tasks.

        Tasks are cancelled after those that take their results: of others Dask's scheduler finds some that it has
        released already, and breaks off (distributed 2026.8, `stimulus_cancel`).

        Args:
            groups: groups of tasks. A later group takes the results of earlier ones.
        """
        with suppress(*LOST):
            for group in reversed(list(groups)):
                if group and self.is_connected:
                    self.ask(partial(_cancel, group))

    def close(self) -> None:
        """Close the connection. The scheduler forgets this client's tasks."""
        with suppress(*LOST, ValueError):
            if self.is_connected:
                self.client.unsubscribe_topic("all")
        with suppress(*LOST, ValueError), _silent_cancellation():
            self.client.close(timeout=2)

    def _connect(self) -> Client:
        seconds = RETURN_SECONDS if self._direct or self.has_thread_workers else CONNECT_SECONDS
        no_answer = ClusterError(why_no_answer(self.address, seconds))
        if not self.has_thread_workers and not is_answering(self.address, seconds):
            raise no_answer
        try:
            client = Client(self.address, timeout=seconds, set_as_default=False, direct_to_workers=self._direct or None)
        except OSError:
            raise no_answer from None
        try:
            self.membership.subscribe(client, seconds)
        except LOST:
            with suppress(*LOST):
                client.close(timeout=2)
            raise no_answer from None
        self._workers_as_of = -1
        self._subscribed_comm = client.scheduler_comm
        if not self.has_thread_workers and logging.getLogger("service").isEnabledFor(logging.INFO):
            with suppress(*LOST):  # waits for every worker, and one may be frozen
                client.sync(_forward_logs, client, callback_timeout=seconds)
        return client


@contextmanager
def _silent_cancellation() -> Iterator[None]:
    """Nobody is to see how Dask reports its own attempt to reconnect, which closing cancels, as an error."""
    logger = logging.getLogger("distributed.client")
    logger.addFilter(_is_no_cancellation)
    try:
        yield
    finally:
        logger.removeFilter(_is_no_cancellation)


def _is_no_cancellation(record: logging.LogRecord) -> bool:
    return not (record.exc_info and isinstance(record.exc_info[1], CancelledByLoop))


async def _worker_info(client: Client) -> dict[str, WorkerInfo]:
    identity = await client.scheduler.identity(n_workers=-1)
    return {worker: WorkerInfo.from_identity(facts) for worker, facts in identity["workers"].items()}


async def _cancel(tasks: list[Future], client: Client) -> None:
    await client.cancel(tasks, asynchronous=True)


async def _forward_logs(client: Client) -> None:
    await client.forward_logging("service", level=logging.INFO)
    await client.forward_logging("distributed.worker", level=logging.WARNING)
