"""What tests do to clusters of real processes."""

import os
import random
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from time import monotonic, sleep

from service.cluster.connection import Cluster


def process_of(cluster: Cluster, worker: str) -> int:
    """The process id of a worker, by its address."""
    process: int = cluster.client.run(os.getpid, workers=[worker])[worker]
    return process


def until(is_so: Callable[[], bool], seconds: float = 240) -> None:
    """Wait until something is so; it must be within a generous time."""
    deadline = monotonic() + seconds
    while not is_so():
        assert monotonic() < deadline
        sleep(0.01)


@contextmanager
def scheduler_and_worker(port: int) -> Iterator[list[subprocess.Popen]]:
    """A scheduler on a port and a worker, as processes of their own."""
    words = ("--host", "127.0.0.1", "--port", str(port), "--no-dashboard")
    with _process("dask_scheduler", *words) as scheduler, worker_process(f"tcp://127.0.0.1:{port}") as worker:
        yield [scheduler, worker]


@contextmanager
def worker_process(address: str, **environment: str) -> Iterator[subprocess.Popen]:
    """A worker of the scheduler at an address, as a process of its own with other environment variables."""
    # A worker that imports while the scheduler asks it something would be taken for a frozen one.
    words = (address, "--nthreads", "1", "--no-nanny", "--no-dashboard", "--preload", "service.rounds.tasks")
    with _process("dask_worker", *words, **environment) as process:
        yield process


@contextmanager
def _process(module: str, *words: str, **environment: str) -> Iterator[subprocess.Popen]:
    process = subprocess.Popen(
        [sys.executable, "-m", f"distributed.cli.{module}", *words],
        env=os.environ | environment,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def free_port() -> int:
    """A port of this machine that nobody listens at, out of those that no connection to elsewhere takes meanwhile."""
    while True:
        port = random.SystemRandom().randrange(20_000, 32_000)
        with suppress(OSError), socket.socket() as probe:
            probe.bind(("127.0.0.1", port))
            return port
