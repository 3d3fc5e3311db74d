"""Prefect without a server of one's own: one that starts with the command and ends with it, however that ends."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager, nullcontext, suppress
from http.client import HTTPConnection, HTTPException
from importlib import import_module
from pathlib import Path
from random import sample
from types import ModuleType
from typing import IO

from flows import configured
from service.environment.proxies import http_client
from service.errors import AtelierError
from service.home import Home

EMBEDDED = {
    "DO_NOT_TRACK": "1",
    "PREFECT_API_BLOCKS_REGISTER_ON_START": "false",
    "PREFECT_CLIENT_ENABLE_METRICS": "false",
    "PREFECT_CLIENT_MAX_RETRIES": "3",
    "PREFECT_LOGGING_LEVEL": "CRITICAL",
    "PREFECT_INTERNAL_LOGGING_LEVEL": "CRITICAL",  # nobody misses events that an ending server refuses
    "PREFECT_LOGGING_TO_API_WHEN_MISSING_FLOW": "ignore",
    "PREFECT_MEMOIZE_BLOCK_AUTO_REGISTRATION": "false",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_SERVER_EPHEMERAL_ENABLED": "false",
    "PREFECT_SERVER_LOGGING_LEVEL": "CRITICAL",
    "PREFECT_SERVER_UI_ENABLED": "false",
    "PREFECT_SERVER_SERVICES_FOREMAN_ENABLED": "false",
    "PREFECT_SERVER_SERVICES_LATE_RUNS_ENABLED": "false",
    "PREFECT_SERVER_SERVICES_SCHEDULER_ENABLED": "false",
    "PREFECT_SERVER_SERVICES_CANCELLATION_CLEANUP_ENABLED": "false",
    "PREFECT_SERVER_SERVICES_PAUSE_EXPIRATIONS_ENABLED": "false",
    "PREFECT_SERVER_SERVICES_TRIGGERS_ENABLED": "false",
    "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_ENABLED": "true",
}
"""Prefect's settings with an embedded server, where the user's environment doesn't set them."""

SERVING = {
    "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": "30",
    "PREFECT_RUNNER_POLL_FREQUENCY": "1",
    "PREFECT_RUNNER_SERVER_ENABLE": "true",
    "PREFECT_RUNNER_SERVER_HOST": "127.0.0.1",
}
"""Settings of a process that serves deployments: it looks for work every second, and says that runs are alive."""

IMPORTED_MEANWHILE = {
    "flows.ingest": ("prefect.flow_engine", "fastapi.encoders"),
    "flows.train": (
        *("prefect.flow_engine", "fastapi.encoders"),
        *("service.plots.confusion", "service.plots.curve", "service.plots.kernels", "service.registry.exports.onnx"),
    ),
}
"""By module of flows: what these need later and take long to import. It is done while a server of our own starts."""

PORTS = range(8000, 9000)
"""Where an embedded server may listen."""

START_SECONDS = 120.0
"""How long an embedded server may take to answer for the first time."""

END_SECONDS = 5.0
"""How long it may take to end by itself."""


def settle(environment: MutableMapping[str, str], home: Path) -> None:
    """Fill in what an embedded server needs; with `PREFECT_API_URL` set there is a server, and nothing is touched.

    Must run before Prefect is imported, because Prefect reads its settings then.
    """
    if environment.get("PREFECT_API_URL"):
        return
    for name, value in {"PREFECT_HOME": str(home / "prefect"), **EMBEDDED}.items():
        environment.setdefault(name, value)


class EmbeddedServer:
    """A process that serves Prefect's API on a port of the loopback interface, once it is told to begin.

    It has a session of its own, so that a Ctrl-C at the terminal doesn't reach it: the flows that are interrupted by
    that still have to tell it so. It ends when its standard input does, which happens even if this process is killed.

    Attributes:
        url: Address of the API.
        log: What the server printed, for whoever wants to know why it doesn't start.
        process_id: The process.
    """

    def __init__(self, folder: Path) -> None:
        """Start the process, which takes seconds to import Prefect and writes nothing meanwhile.

        Args:
            folder: Where it will keep its database.

        Raises:
            AtelierError: There is no free port.
        """
        self._folder = folder
        self._has_begun = False
        self.log = folder / "server.log"
        self._start(subprocess.DEVNULL)

    def _start(self, log: int | IO[bytes]) -> None:
        with _listening() as listening:
            self.url = f"http://127.0.0.1:{listening.getsockname()[1]}/api"
            self._process = subprocess.Popen(  # noqa: S603 -- our own module
                [sys.executable, "-m", "flows.server", str(listening.fileno()), str(self._folder)],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                pass_fds=[listening.fileno()],
                start_new_session=True,
            )

    def begin(self) -> None:
        """Have it serve: it answers some seconds later. Raises AtelierError where the folder can't be written."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            with self.log.open("wb") as log:
                if self.has_ended:
                    self._start(log)  # once more, so that its log says why
        except OSError as error:
            raise AtelierError(f"Prefect's embedded server does not start: {self._folder}: {error.strerror}") from None
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):  # it ended just now, which who waits for it will notice
            self._process.stdin.write(b"\n")
            self._process.stdin.flush()
        self._has_begun = True

    @property
    def process_id(self) -> int:
        return self._process.pid

    @property
    def has_ended(self) -> bool:
        """Whether it ended, by itself or by somebody else's doing."""
        return self._process.poll() is not None

    def wait_until_ready(self) -> None:
        """Return as soon as it answers. Raises AtelierError where it ends instead, or takes too long."""
        host, port = self.url.removeprefix("http://").removesuffix("/api").split(":")
        connection = HTTPConnection(host, int(port), timeout=START_SECONDS)
        try:
            connection.request("GET", "/api/health")
            if connection.getresponse().status == 200:
                return
        except (OSError, HTTPException):
            pass
        finally:
            connection.close()
        raise AtelierError(
            f"Prefect's embedded server does not start: is there room on the disk for {self._folder}, and can it be "
            f"written? Its own words are in {self.log}"
        )

    def end(self) -> None:
        """Have it end, and wait until it has."""
        if not self._has_begun:
            self._process.kill()
        if self._process.stdin is not None:
            self._process.stdin.close()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(END_SECONDS)
            return
        self._process.kill()
        self._process.wait()


class PrefectServer:
    """The server that flows run on: the one that is configured, or one of our own, which the first of them starts.

    Attributes:
        embedded: The server of our own, once its process is started.
    """

    def __init__(self) -> None:
        self.embedded: EmbeddedServer | None = None

    def prepare(self, home: Home) -> None:
        """Start the process of a server of our own, where none is configured; it touches nothing until a flow begins.

        Raises:
            AtelierError: There is no free port.
        """
        if not os.environ.get("PREFECT_API_URL"):
            settle(os.environ, home.root)
            self.embedded = EmbeddedServer(home.root / "prefect")

    @contextmanager
    def running(self, home: Home, module: str) -> Iterator[ModuleType]:
        """A module of flows, on a server that answers; the home is prepared for them.

        An interruption from outside, which Prefect turns into a signal of its own, leaves the block as
        KeyboardInterrupt.

        Args:
            home: Where the flows work, and a server of our own keeps its folder.
            module: Name of the module, which takes seconds to import; a server of our own takes them at the same time.

        Raises:
            InvalidInput: The environment names a proxy that Prefect's client can't be made with.
            AtelierError: The server doesn't start, or doesn't answer.
        """
        http_client().close()
        home.prepare()
        settle(os.environ, home.root)
        if address := os.environ.get("PREFECT_API_URL"):
            if self.embedded is None:
                configured.wait_until_ready(address)
        else:
            if self.embedded is None:
                self.prepare(home)
            assert self.embedded is not None
            self.embedded.begin()
            os.environ["PREFECT_API_URL"] = self.embedded.url
        from prefect.exceptions import TerminationSignal

        from flows.failures import explained

        try:
            flows = import_module(module)
            if self.embedded is not None:
                for later in IMPORTED_MEANWHILE.get(module, ()):
                    import_module(later)
                self.embedded.wait_until_ready()
            with explained(home, self.embedded), _without_heartbeats(self.embedded):
                yield flows
        except TerminationSignal:
            raise KeyboardInterrupt from None

    def end(self) -> None:
        """End the server if it is our own."""
        if self.embedded is not None:
            self.embedded.end()
            self.embedded = None
            os.environ.pop("PREFECT_API_URL", None)


@contextmanager
def _without_heartbeats(embedded: EmbeddedServer | None) -> Iterator[None]:
    """On a server of our own, which ends with the flow's process, spare its end the second that heartbeats take.

    The environment can't say this, and Prefect waits for a thread that sleeps a second at a time.
    """
    from prefect.settings import PREFECT_FLOWS_HEARTBEAT_FREQUENCY, temporary_settings

    with temporary_settings({PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None}) if embedded else nullcontext():
        yield


def _listening() -> socket.socket:
    """A socket that listens on a free port. Raises AtelierError where all are taken."""
    for port in sample(PORTS, len(PORTS)):
        found = socket.socket()
        try:
            found.bind(("127.0.0.1", port))
            found.listen()
        except OSError:
            found.close()
        else:
            return found
    raise AtelierError(f"all ports from {PORTS[0]} to {PORTS[-1]} are taken: Prefect's embedded server needs one")
