"""A cluster on hosts that share nothing but a network: a coordinator with the scheduler, three workers, a bucket."""

import subprocess
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from itertools import pairwise
from pathlib import Path
from statistics import median
from time import monotonic, sleep
from typing import IO, Any

from service.files import canonical_json
from service.home import Home
from service.runs import Entry, RunFolder
from tests.chaos.storm import times
from tests.hosts.network import Network
from tests.hosts.switch import Link
from tests.object_storage import KEYS

COORDINATOR, BUCKET = "coordinator", "bucket"
WORKERS = ("worker-1", "worker-2", "worker-3")
HOSTS = [COORDINATOR, *WORKERS, BUCKET]
PORT = 8786
SLOW = Link(delay_s=0.05)
"""What links are like when one is to be cut in the midst of a training of a few rounds."""

LIMIT_S = 240
"""How long anything here may take, on a machine that does other things as well."""


class HostedCluster:
    """The processes on the hosts.

    Attributes:
        network: the hosts.
        home: the coordinator's.
        address: the scheduler's.
        workers: their processes, by host.
    """

    def __init__(self, network: Network, tls: Mapping[str, Mapping[str, str]], **settings: str) -> None:
        """Start nothing yet.

        Args:
            network: the hosts.
            tls: the settings of each host; empty for connections that aren't encrypted.
            settings: variables of the environment of all processes.
        """
        self.network = network
        self.home = Home(network.folder / "home")
        self.address = f"{'tls' if tls else 'tcp'}://{network.addresses[COORDINATOR]}:{PORT}"
        self.workers: dict[str, subprocess.Popen[str]] = {}
        self._tls = tls
        self._settings = settings
        self._logs: dict[str, IO[str]] = {}
        self._storage: dict[str, str] = {}

    @contextmanager
    def open(self, dataset: str, source: Path) -> Iterator["HostedCluster"]:
        """Start everything, and bring a data set into the bucket. It ends with the network."""
        at = self.network.addresses
        bucket = self.network.start(BUCKET, "-m", "tests.object_storage", SERVED_AT=at[BUCKET])
        assert bucket.stdout is not None
        endpoint = f"http://{at[BUCKET]}:{int(bucket.stdout.readline())}"
        self._storage = {**KEYS, "AWS_ENDPOINT_URL": endpoint}
        with ExitStack() as stack:
            self._logs = {
                host: stack.enter_context((self.network.folder.parent / f"{host}.log").open("w")) for host in at
            }
            ingestion = self.start(COORDINATOR, "tests.hosts.ingest", dataset, str(source), "hosts")
            scheduler = ("--host", at[COORDINATOR], "--port", str(PORT), "--no-dashboard")
            self.start(COORDINATOR, "distributed.cli.dask_scheduler", *scheduler, *self._protocol)
            self.restart_workers()
            assert ingestion.wait(LIMIT_S) == 0
            yield self

    def start(self, host: str, *words: str, **more: str) -> "subprocess.Popen[str]":
        """Start a module on a host, with more variables. Only the coordinator is told where the data are."""
        own = {"ATELIER_HOME": str(self.home.root), "ATELIER_MODELS": "", "ATELIER_DATA": "", **self._storage}
        own |= {**self._settings, **self._tls.get(host, {}), **more}
        if host == COORDINATOR:
            own["ATELIER_DATA"] = "s3://hosts/data"
        return self.network.start(host, "-m", *words, log=self._logs[host], **own)

    def output_of(self, host: str, *words: str) -> str:
        """What a module prints on a host, which must succeed."""
        process = self.start(host, *words)
        output, _ = process.communicate(timeout=LIMIT_S)
        assert process.returncode == 0, self.log_of(host)
        return output

    def log_of(self, host: str) -> str:
        """What the processes of a host have said."""
        return Path(self._logs[host].name).read_text()

    def restart_workers(self) -> None:
        """Start the workers that aren't running, as a supervisor of each host does."""
        for host in WORKERS:
            if host not in self.workers or self.workers[host].poll() is not None:
                words = ("--host", self.network.addresses[host], "--nthreads", "1", "--no-nanny", "--no-dashboard")
                self.workers[host] = self.start(
                    host, "distributed.cli.dask_worker", self.address, *words, *self._protocol
                )

    def begin(self, run: str, given: dict[str, Any]) -> "subprocess.Popen[str]":
        """Have a coordinator begin a run."""
        return self.start(COORDINATOR, "tests.chaos.coordinator", run, self.address, canonical_json(given))

    def train(self, run: str, given: dict[str, Any], link: Link | None = None) -> list[Entry]:
        """The rounds of a training while all links behave like that."""
        self.network.become(link or Link())
        assert self.begin(run, given).wait(LIMIT_S) == 0
        self.network.become(Link())
        return self.rounds(run)

    def train_across_cut(self, run: str, given: dict[str, Any], link: Link, seconds: float) -> list[Entry]:
        """The same, but links behave like that only for a while in its midst. Workers that end are restarted."""
        self.network.become(SLOW)
        coordinator, deadline = self.begin(run, given), monotonic() + LIMIT_S
        while len(self.rounds(run)) < 2:
            assert coordinator.poll() is None
            assert monotonic() < deadline
            sleep(0.02)
        self.network.become(link)
        before = len(self.rounds(run))
        sleep(seconds)
        self.network.become(Link())
        while coordinator.poll() is None:
            self.restart_workers()
            assert monotonic() < deadline
            sleep(0.1)
        assert coordinator.returncode == 0
        assert before < len(self.rounds(run)), "the run was over before the cut"
        return self.rounds(run)

    def rounds(self, run: str) -> list[Entry]:
        """The rounds of a run that have been logged."""
        folder = RunFolder(self.home.runs / run)
        entries = folder.entries() if folder.path.exists() else ()
        return [entry for entry in entries if entry["kind"] == "round"]

    @property
    def _protocol(self) -> tuple[str, ...]:
        return ("--protocol", "tls") if self._tls else ()


def seconds_a_round(rounds: list[Entry]) -> float:
    """The median time from one round to the next."""
    at = times(rounds)
    return median(later - earlier for earlier, later in pairwise(at))
