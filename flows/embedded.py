"""Prefect without a server of one's own: one that starts with the command and ends with it, however that ends."""

import os
import subprocess
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from pathlib import Path

from service.errors import AtelierError

EMBEDDED = {
    "DO_NOT_TRACK": "1",
    "PREFECT_LOGGING_LEVEL": "CRITICAL",
    "PREFECT_LOGGING_TO_API_WHEN_MISSING_FLOW": "ignore",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "120",
    "PREFECT_SERVER_LOGGING_LEVEL": "CRITICAL",
    "PREFECT_SERVER_UI_ENABLED": "false",
    "PREFECT_SERVER_SERVICES_FOREMAN_ENABLED": "false",
    "PREFECT_SERVER_SERVICES_LATE_RUNS_ENABLED": "false",
    "PREFECT_SERVER_SERVICES_SCHEDULER_ENABLED": "false",
    "PREFECT_SERVER_SERVICES_CANCELLATION_CLEANUP_ENABLED": "false",
    "PREFECT_SERVER_SERVICES_PAUSE_EXPIRATIONS_ENABLED": "false",
    "PREFECT_SERVER_SERVICES_TRIGGERS_ENABLED": "false",
    "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_ENABLED": "true",
    "PREFECT_CLIENT_ENABLE_METRICS": "false",
}
"""What Prefect is told where the user says nothing else."""

SERVING = {
    "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": "30",
    "PREFECT_RUNNER_POLL_FREQUENCY": "1",
    "PREFECT_RUNNER_SERVER_ENABLE": "true",
    "PREFECT_RUNNER_SERVER_HOST": "127.0.0.1",
}
"""What it is told by a process that serves deployments: look for work every second, and say that runs are alive."""


def settle(environment: MutableMapping[str, str], home: Path) -> None:
    """Fill in what an embedded server needs; with `PREFECT_API_URL` set there is a server, and nothing is touched.

    Must run before Prefect is imported, because Prefect reads its settings then.
    """
    if environment.get("PREFECT_API_URL"):
        return
    for name, value in {"PREFECT_HOME": str(home / "prefect"), **EMBEDDED}.items():
        environment.setdefault(name, value)


@contextmanager
def prefect_server(home: Path) -> Iterator[None]:
    """A server to run flows on while the block lasts: the one that is configured, or one of our own.

    An interruption from outside, which Prefect turns into a signal of its own, leaves the block as KeyboardInterrupt.
    """
    settle(os.environ, home)
    from prefect.exceptions import TerminationSignal

    try:
        if os.environ.get("PREFECT_API_URL"):
            yield
        else:
            with _own_server(home / "prefect"):
                yield
    except TerminationSignal:
        raise KeyboardInterrupt from None


@contextmanager
def _own_server(folder: Path) -> Iterator[None]:
    """Raises AtelierError where the server doesn't start."""
    from prefect.server.api.server import SubprocessASGIServer

    server = SubprocessASGIServer()
    try:
        server.start()
    except RuntimeError:
        raise AtelierError(
            f"Prefect's embedded server does not start: is there room on the disk for {folder}, and can it be written?"
        ) from None
    with server:
        if server.server_process is None:
            raise AssertionError("a server that has started has a process")
        with _guard(server.server_process.pid):
            yield


@contextmanager
def _guard(pid: int) -> Iterator[None]:
    """End a process when this one ends, even if it is killed: the guard waits for our end of its pipe to close."""
    guard = subprocess.Popen(  # noqa: S603  # a fixed command; the only argument is a process id
        ["/bin/sh", "-c", 'read -r _; kill "$0" 2>/dev/null', str(pid)],
        stdin=subprocess.PIPE,
        start_new_session=True,
    )
    try:
        yield
    finally:
        guard.terminate()
        guard.communicate()
