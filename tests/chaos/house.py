"""A scheduler, workers and a coordinator as separate processes, and someone who keeps breaking them."""

import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from service.files import canonical_json
from service.home import Home
from service.runs import Entry, RunFolder

Part = Literal["worker", "scheduler", "coordinator", "frozen worker", "new worker"]

ROOT = Path(__file__).parents[2]


@dataclass
class House:
    """Keeps one scheduler, some workers and the coordinator of one run alive, as a supervisor would.

    killed counts what was disturbed, and `mend` brings back what is missing.
    """

    home: Home
    run: str
    given: dict
    workers: int
    port: int = field(default_factory=lambda: _free_port())
    killed: Counter = field(default_factory=Counter)
    starts: int = 0
    _scheduler: subprocess.Popen | None = None
    _coordinator: subprocess.Popen | None = None
    _workers: list[subprocess.Popen] = field(default_factory=list)
    _frozen: list[tuple[subprocess.Popen, float]] = field(default_factory=list)

    @property
    def address(self) -> str:
        return f"tcp://127.0.0.1:{self.port}"

    def entries(self) -> list[Entry]:
        """The run's log so far; empty before there is one."""
        folder = RunFolder(self.home.runs / self.run)
        return list(folder.entries()) if folder.path.exists() else []

    @property
    def finished(self) -> bool:
        entries = self.entries()
        return bool(entries) and entries[-1]["kind"] == "end" and entries[-1]["outcome"] == "finished"

    def mend(self) -> None:
        """Start whatever is not running."""
        if self._scheduler is None or self._scheduler.poll() is not None:
            self._scheduler = _start(
                self.home,
                "distributed.cli.dask_scheduler",
                "--host",
                "127.0.0.1",
                "--port",
                str(self.port),
                "--no-dashboard",
            )
        self._workers = [worker for worker in self._workers if worker.poll() is None]
        while len(self._workers) < self.workers:
            self._workers.append(self._new_worker())
        if (self._coordinator is None or self._coordinator.poll() is not None) and not self.finished:
            self.starts += 1
            self._coordinator = _start(
                self.home, "tests.chaos.coordinator", self.run, self.address, canonical_json(self.given)
            )
        for worker, until in list(self._frozen):
            if time.monotonic() > until:
                self._frozen.remove((worker, until))
                if worker.poll() is None:
                    worker.send_signal(signal.SIGCONT)

    def disturb(self, part: Part, rng: random.Random) -> None:
        """Kill, freeze or add a part of the given kind, if there is one."""
        if part == "new worker":
            self._workers.append(self._new_worker())
        elif part == "frozen worker":
            worker = rng.choice(self._workers)
            worker.send_signal(signal.SIGSTOP)
            self._frozen.append((worker, time.monotonic() + rng.uniform(1, 6)))
        else:
            victim = {
                "worker": rng.choice(self._workers),
                "scheduler": self._scheduler,
                "coordinator": self._coordinator,
            }[part]
            if victim is None or victim.poll() is not None:
                return
            victim.kill()
            victim.wait()
        self.killed[part] += 1

    def close(self) -> list[int]:
        """End everything; returns the process ids that were still there afterwards."""
        parts = [self._coordinator, *self._workers, self._scheduler]
        for part in parts:
            if part is not None and part.poll() is None:
                part.kill()
        for part in parts:
            if part is not None:
                part.wait()
        return [part.pid for part in parts if part is not None and part.poll() is None]

    def _new_worker(self) -> subprocess.Popen:
        return _start(
            self.home,
            "distributed.cli.dask_worker",
            *(self.address, "--nthreads", "1", "--no-nanny", "--no-dashboard", "--death-timeout", "60"),
        )


def _start(home: Home, module: str, *words: str) -> subprocess.Popen:
    environment = {
        **os.environ,
        "ATELIER_HOME": str(home.root),
        "PYTHONPATH": str(ROOT),
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
    }
    with (home.root / f"{module.rpartition('.')[2]}.out").open("ab") as out:
        return subprocess.Popen(
            [sys.executable, "-m", module, *words],
            env=environment,
            cwd=home.root,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            start_new_session=True,
        )


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
