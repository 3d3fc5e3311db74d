"""A Dask cluster to work on: one that runs already, or a local one, of processes or of threads of this process."""

import logging
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from queue import SimpleQueue
from threading import Event
from time import monotonic, sleep
from typing import Any

import dask
from distributed import Client, LocalCluster
from distributed.client import ClosedClientError
from threadpoolctl import threadpool_limits

from ops.engines import Choice, choose
from ops.errors import Unsupported
from ops.network import Network
from ops.step_config import StepConfig
from service.config import ClusterConfig, TrainConfig
from service.errors import ClusterError, InvalidInput

CONNECT_SECONDS = 5
"""How long a scheduler has to answer, and to have a worker, when a run begins."""

SILENCE_SECONDS = 5.0
"""How far a worker's heartbeat may lag behind the others' before it is held to be frozen."""

RETURN_SECONDS = 60
"""How long a scheduler or the last worker that went away has to come back before a run gives up."""

ANSWER_SECONDS = 20.0
"""How long a scheduler may take to say something that it knows, before it is held to be gone."""

LISTENS = "atelier-listens"
"""The event by which a client learns that it hears of events."""

QUIET = {
    "distributed.worker.memory.terminate": False,
    "distributed.comm.retry.count": 2,
    "distributed.admin.low-level-log-length": 0,
    "distributed.admin.system-monitor.interval": "5s",
    "distributed.admin.tick.interval": "500ms",
    "distributed.worker.memory.monitor-interval": "1s",
    "distributed.worker.profile.enabled": False,
    "distributed.scheduler.work-stealing-interval": "500ms",
    # Every array of a fold comes fresh from the system otherwise, which took longer than the folding.
    "distributed.nanny.pre-spawn-environ.MALLOC_MMAP_THRESHOLD_": 64 << 20,
    "distributed.nanny.pre-spawn-environ.MALLOC_TRIM_THRESHOLD_": 128 << 20,
    "distributed.admin.large-graph-warning-threshold": "16GB",  # a large network's state travels with its first task
}


class Cluster:
    """A connection to a scheduler that can be made anew when the scheduler was gone for a while.

    address: the scheduler's. client: the connection at the moment.
    direct: results come straight from the workers, which must be within reach, instead of through the scheduler.
    worker_left: set when a worker goes away, until `departures` is asked.
    """

    def __init__(self, address: str, *, direct: bool = False) -> None:
        self.worker_left = Event()
        self._departures: SimpleQueue[frozenset[str]] = SimpleQueue()
        self._direct = direct
        self._workers: list[str] | None = None
        self._changes = 0
        self._subscribed_comm: Any = None
        self.address = address
        self.client = self._connect(CONNECT_SECONDS)

    @property
    def workers(self) -> list[str]:
        """Addresses of the workers there are now; the scheduler is asked only when one came or left."""
        known, seen = self._workers, self._changes
        if known is None:
            known = self._workers = sorted(self._asked("ncores"))
            if seen != self._changes:  # somebody came or left since the answer
                self._workers = None
        return known

    def departures(self) -> frozenset[str]:
        """The keys of the tasks of workers that died since the last call; one that retired in order adds none."""
        self.worker_left.clear()
        struck: frozenset[str] = frozenset()
        while not self._departures.empty():
            struck |= self._departures.get()
        return struck

    def processing(self) -> dict[str, list[str]]:
        """The tasks that each worker was given and hasn't done yet, by their keys."""
        return dict(self._asked("processing"))

    def who_has(self, keys: Iterable[str]) -> dict[str, list[str]]:
        """The workers that hold each of these results."""
        return dict(self._asked("who_has", keys=list(keys)))

    @property
    def is_here(self) -> bool:
        """Whether the workers are threads of this process."""
        return self.address.startswith("inproc://")

    @property
    def is_connected(self) -> bool:
        """Whether the scheduler is there, as far as is known, on the connection that tells of workers.

        Dask makes a lost connection anew by itself, but there nobody would hear of workers any more.
        """
        return bool(self.client.status == "running" and self.client.scheduler_comm is self._subscribed_comm)

    def silent_workers(self) -> frozenset[str]:
        """The workers whose last heartbeat is much older than the newest there was."""
        known = self.client.scheduler_info(n_workers=-1)["workers"]
        seen = {worker: facts["last_seen"] for worker, facts in known.items()}
        newest = max(seen.values(), default=0.0)
        return frozenset(worker for worker, when in seen.items() if newest - when > SILENCE_SECONDS)

    def wait_for_worker(self, seconds: float) -> None:
        """Return as soon as there is a worker. Raises ClusterError where none comes in time."""
        try:
            self.client.wait_for_workers(1, timeout=seconds)
        except TimeoutError:
            raise ClusterError(
                f"the scheduler at {self.address} has no workers: start one with `dask worker {self.address}`"
            ) from None

    def reconnect(self) -> None:
        """Find the scheduler again, and a worker with it. Raises ClusterError where they don't come back in time."""
        self.close()
        deadline = monotonic() + RETURN_SECONDS
        while True:
            try:
                self.client = self._connect(CONNECT_SECONDS)
                break
            except ClusterError:
                if monotonic() > deadline:
                    raise ClusterError(
                        f"the Dask scheduler at {self.address} went away and did not come back within "
                        f"{RETURN_SECONDS} s; `atelier runs resume` continues the run when it has"
                    ) from None
                sleep(0.5)
        self.wait_for_worker(RETURN_SECONDS)

    def close(self) -> None:
        """Let go of the scheduler; what it was asked for and not yet given is forgotten there."""
        with suppress(OSError, TimeoutError, ValueError):
            if self.is_connected:
                self.client.unsubscribe_topic("all")
            self.client.close(timeout=2)

    def _asked(self, question: str, **given: Any) -> Any:
        """What the scheduler answers. Raises OSError where it doesn't in time, or the connection is closed."""
        if self.client.scheduler is None:
            raise ConnectionError("the connection to the scheduler is closed")
        return self.client.sync(getattr(self.client.scheduler, question), callback_timeout=ANSWER_SECONDS, **given)

    def _connect(self, seconds: float) -> Client:
        silence = ClusterError(f"no Dask scheduler answers at {self.address} within {seconds} s")
        try:
            client = Client(self.address, timeout=seconds, set_as_default=False, direct_to_workers=self._direct or None)
        except OSError:
            raise silence from None
        try:
            self._subscribe(client, seconds)
        except (OSError, ClosedClientError):
            client.close(timeout=2)
            raise silence from None
        self._workers = None
        self._subscribed_comm = client.scheduler_comm
        if not self.is_here and logging.getLogger("service").isEnabledFor(logging.INFO):
            client.forward_logging("service", level=logging.INFO)
            client.forward_logging("distributed.worker", level=logging.WARNING)
        return client

    def _subscribe(self, client: Client, seconds: float) -> None:
        """Hear of workers from now on. Raises OSError where that doesn't begin in time."""
        hears = Event()
        client.subscribe_topic("all", partial(self._listen, client.id, hears))
        deadline = monotonic() + seconds
        while not hears.wait(0.02):
            if monotonic() > deadline:
                raise TimeoutError
            # Nobody says when a subscription begins, and a worker that left before would be missed.
            client.log_event("all", {"action": LISTENS, "client": client.id})

    def _listen(self, client: str, hears: Event, event: tuple[float, Any]) -> None:
        _, message = event
        action = message.get("action") if isinstance(message, dict) else None
        if action == LISTENS and message["client"] == client:
            hears.set()
        if action in ("add-worker", "remove-worker"):
            self._workers = None
            self._changes += 1
        if action == "remove-worker":
            self._departures.put(frozenset() if message["expected"] else frozenset(message["processing-tasks"]))
            self.worker_left.set()


@contextmanager
def open_cluster(config: ClusterConfig, *, prefers_threads: Callable[[], bool] = lambda: False) -> Iterator[Cluster]:
    """The cluster that is asked for; a local one ends with the block.

    prefers_threads: says whether a local one's workers had best be threads, where the configuration leaves it open.
    Raises ClusterError where the scheduler doesn't answer or has no workers.
    """
    with dask.config.set(QUIET):
        if config.scheduler:
            with connected(config.scheduler) as cluster:
                yield cluster
            return
        are_threads = prefers_threads() if config.worker_type == "auto" else config.worker_type == "threads"
        with (
            # Processes are started with one thread for BLAS, which its bits depend on.
            threadpool_limits(1 if are_threads else None, user_api="blas"),
            LocalCluster(
                processes=not are_threads,
                n_workers=config.workers or os.cpu_count() or 1,
                threads_per_worker=1,
                memory_limit=0
                if are_threads
                else "auto",  # each thread would be held to its share of what all of them take
                dashboard_address="127.0.0.1:0",
                silence_logs=logging.CRITICAL + 1,
            ) as local,
            connected(local.scheduler_address, direct=True) as cluster,
        ):
            yield cluster


def check_scheduler(address: str) -> None:
    """Raise ClusterError where no scheduler answers at the address, or it has no workers."""
    with connected(address):
        pass


def settle_engine(
    cluster: Cluster, config: TrainConfig, network: Network, step_config: StepConfig, store: Path
) -> Choice:
    """What the configured engine comes to on the cluster's workers; they must agree, and see the data.

    Raises ClusterError where a worker can't read the store or they differ, InvalidInput where no worker can run it.
    """
    answers = cluster.client.run(_probe, config, network, step_config, store, on_error="ignore")
    for worker, (visible, _, _) in answers.items():
        if not visible:
            raise ClusterError(f"worker {worker} can't see {store}: give all workers the same ATELIER_HOME")
    problems = {problem for _, problem, _ in answers.values() if problem}
    if problems:
        raise InvalidInput(min(problems))
    choices = {choice for _, _, choice in answers.values() if choice is not None}
    if not choices:
        raise ClusterError("no worker answered what it can run")
    if len({(choice.engine, choice.device) for choice in choices}) > 1:
        found = ", ".join(sorted(f"{choice.engine} on {choice.device}" for choice in choices))
        raise ClusterError(f"the workers differ ({found}): name one with --engine and --device")
    return min(choices, key=lambda choice: choice.why)


@contextmanager
def connected(address: str, *, direct: bool = False) -> Iterator[Cluster]:
    """A connection of one's own to a scheduler; several may work side by side. direct: see `Cluster`.

    Raises ClusterError where the scheduler doesn't answer or has no workers.
    """
    cluster = Cluster(address, direct=direct)
    try:
        cluster.wait_for_worker(CONNECT_SECONDS)
        yield cluster
    finally:
        cluster.close()


def _probe(
    config: TrainConfig, network: Network, step_config: StepConfig, store: Path
) -> tuple[bool, str, Choice | None]:
    """Runs on each worker: does it see the store, what is wrong, which engine would it take."""
    visible = (store / "zarr.json").is_file()
    try:
        return visible, "", choose(network, step_config, engine=config.engine, device=config.device)
    except Unsupported as error:
        return visible, str(error), None
