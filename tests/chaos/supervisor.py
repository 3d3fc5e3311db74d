"""A scheduler, workers and a coordinator as separate processes, which are restarted when they were killed."""

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from service.files import canonical_json
from service.home import Home
from service.runs import Entry, run_at
from tests.chaos.processes import is_stopped, survivors
from tests.clusters import free_port

Part = Literal["worker", "scheduler", "coordinator", "frozen worker", "new worker"]

ROOT = Path(__file__).parents[2]
TERMINATE_SECONDS = 10


@dataclass
class Supervisor:
    """Keeps one scheduler, some workers and the coordinator of one run alive, and injects faults.

    Attributes:
        home: where the run is.
        run: its name.
        given: its configuration.
        workers: how many workers there should be.
        port: the scheduler's port.
        disturbed: how often each kind of fault was injected.
        starts: how often a coordinator was started.
        added: process ids of additional workers.
    """

    home: Home
    run: str
    given: dict
    workers: int
    port: int = field(default_factory=free_port)
    disturbed: Counter = field(default_factory=Counter)
    starts: int = 0
    added: list[int] = field(default_factory=list)
    _scheduler: subprocess.Popen | None = None
    _coordinator: subprocess.Popen | None = None
    _workers: list[subprocess.Popen] = field(default_factory=list)
    _frozen: list[tuple[subprocess.Popen, float]] = field(default_factory=list)

    def __post_init__(self) -> None:
        (self.folder / "tmp").mkdir(parents=True)

    @property
    def folder(self) -> Path:
        """Where the processes work: what they print, what their tasks were, and their temporary files."""
        return self.home.root / "supervisor" / self.run

    @property
    def address(self) -> str:
        return f"tcp://127.0.0.1:{self.port}"

    def entries(self) -> list[Entry]:
        """The run's log so far; empty before there is one."""
        run = run_at(self.home.runs, self.run)
        return list(run.entries()) if run.exists() else []

    @property
    def finished(self) -> bool:
        entries = self.entries()
        return bool(entries) and entries[-1]["kind"] == "end" and entries[-1]["outcome"] == "finished"

    def is_working(self, process: int) -> bool:
        """Whether that process is one of the workers and alive."""
        return any(worker.pid == process and worker.poll() is None for worker in self._workers)

    def restart_missing(self) -> None:
        """Start whatever is not running."""
        if self._scheduler is None or self._scheduler.poll() is not None:
            self._scheduler = self._start(
                "distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", str(self.port), "--no-dashboard"
            )
        self._workers = [worker for worker in self._workers if worker.poll() is None]
        while len(self._workers) < self.workers:
            self._workers.append(self._new_worker())
        if (self._coordinator is None or self._coordinator.poll() is not None) and not self.finished:
            self.starts += 1
            self._coordinator = self._start(
                "tests.chaos.coordinator", self.run, self.address, canonical_json(self.given)
            )
        for worker, until in list(self._frozen):
            if time.monotonic() > until:
                self._frozen.remove((worker, until))
                if worker.poll() is None:
                    worker.send_signal(signal.SIGCONT)

    def inject(self, part: Part, rng: random.Random) -> bool:
        """Kill, freeze or add a part of the given kind; False, and not counted, where that could not be done."""
        if part == "new worker":
            self._workers.append(self._new_worker())
            self.added.append(self._workers[-1].pid)
            done = True
        elif part == "frozen worker":
            done = self._freeze(rng)
        else:
            done = self._kill(part, rng)
        self.disturbed[part] += done
        return done

    def wait_for_coordinator(self) -> None:
        """Let the coordinator of a finished run end by itself: it puts its lease down."""
        if self._coordinator:
            with suppress(subprocess.TimeoutExpired):
                self._coordinator.wait(10 * TERMINATE_SECONDS)

    def close(self) -> dict[int, str]:
        """Ask everything to end, and end what doesn't; returns the processes of this home that are left even so."""
        parts = [part for part in (self._coordinator, *self._workers, self._scheduler) if part and part.poll() is None]
        for part in parts:
            part.send_signal(signal.SIGCONT)
            part.terminate()
        deadline = time.monotonic() + TERMINATE_SECONDS
        for part in parts:
            try:
                part.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                part.kill()
                part.wait()
        return survivors(self.home.root)

    def _kill(self, part: Part, rng: random.Random) -> bool:
        victim = {
            "worker": rng.choice(self._workers),
            "scheduler": self._scheduler,
            "coordinator": self._coordinator,
        }[part]
        if victim is None:
            return False
        victim.kill()
        return victim.wait() == -signal.SIGKILL  # anything else: it had ended by itself

    def _freeze(self, rng: random.Random) -> bool:
        frozen = [worker for worker, _ in self._frozen]
        moving = [worker for worker in self._workers if worker not in frozen]
        if not moving:
            return False
        worker = rng.choice(moving)
        worker.send_signal(signal.SIGSTOP)
        self._frozen.append((worker, time.monotonic() + rng.uniform(1, 6)))
        deadline = time.monotonic() + 1
        while not (stopped := is_stopped(worker.pid)) and time.monotonic() < deadline:
            time.sleep(0.01)  # signals arrive at their own pace
        return stopped

    def _new_worker(self) -> subprocess.Popen:
        return self._start(
            "distributed.cli.dask_worker",
            *(self.address, "--nthreads", "1", "--no-nanny", "--no-dashboard", "--death-timeout", "60"),
            *("--preload", "tests.chaos.witness"),
        )

    def _start(self, module: str, *words: str) -> subprocess.Popen:
        environment = {
            **os.environ,
            "ATELIER_HOME": str(self.home.root),
            "PYTHONPATH": str(ROOT),
            "TMPDIR": str(self.folder / "tmp"),
            "OMP_NUM_THREADS": "1",
            "OPENBLAS_NUM_THREADS": "1",
        }
        with (self.folder / f"{module.rpartition('.')[2]}.out").open("ab") as out:
            return subprocess.Popen(
                [sys.executable, "-m", module, *words],
                env=environment,
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                start_new_session=True,
            )


def close_when_terminated() -> None:
    """Have SIGTERM leave through every `finally`, so that no process outlives this one."""
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
