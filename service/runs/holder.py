"""Who holds a lease: one process on one machine; and the file lock beside the lease."""

import fcntl
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

PROC = Path("/proc")

GLANCE_SECONDS = 0.3
"""How long a process may hold the file lock that only looks whether somebody holds it."""


LockState = Literal["held", "busy", "unavailable"]
"""A file lock: this process has it or could take it; another process has it; or locks exclude nobody here."""


@dataclass(frozen=True)
class Holder:
    """A process. Fields that the system doesn't tell are empty.

    Attributes:
        host: its machine's name, for people.
        boot: identifies its machine since that was started.
        namespace: identifies the set of processes that its number is unique in, e.g. those of a container.
        pid: its number.
        started: when it began, since numbers are used again.
    """

    host: str = ""
    boot: str = ""
    namespace: str = ""
    pid: int = 0
    started: str = ""

    @property
    def is_gone(self) -> bool:
        """Whether it is known to have ended. False for one that can't be seen from here."""
        here = this_process()
        is_visible = bool(self.boot) and (self.boot, self.namespace) == (here.boot, here.namespace)
        return is_visible and _start_of(self.pid) != self.started

    @property
    def is_on_this_machine(self) -> bool:
        """Whether it runs, or ran, on this machine since that was started."""
        return bool(self.boot) and self.boot == this_process().boot


def this_process() -> Holder:
    """The process that this runs in."""
    try:
        boot = (PROC / "sys/kernel/random/boot_id").read_text().strip()
        namespace = str((PROC / "self/ns/pid").readlink())
    except OSError:
        boot = namespace = ""
    return Holder(socket.gethostname(), boot, namespace, os.getpid(), _start_of(os.getpid()))


@contextmanager
def file_lock(path: Path) -> Iterator[LockState]:
    """Try to lock a file while the block lasts."""
    with path.open("a") as file:
        try:
            _lock(file.fileno())
        except BlockingIOError:
            state: LockState = "busy"
        except OSError:  # ENOLCK, EOPNOTSUPP, ENOSYS: some network and user-space file systems have no locks
            state = "unavailable"
        else:
            state = "held" if lock_state(path) == "busy" else "unavailable"  # on some every process gets the lock
        yield state


def _lock(file: int) -> None:
    """Lock an open file, also where another process only looks whether somebody holds it."""
    deadline = time.monotonic() + GLANCE_SECONDS
    while True:
        try:
            return fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise
        time.sleep(GLANCE_SECONDS / 10)


def lock_state(path: Path) -> LockState:
    """What `file_lock` would find, without keeping it. Nothing is written; others can't take the lock for a moment."""
    try:
        with path.open("rb") as file, path.open("rb") as other:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            return "held" if _is_refused(other.fileno()) else "unavailable"
    except BlockingIOError:
        return "busy"
    except OSError:
        return "unavailable"


def _is_refused(file: int) -> bool:
    """Whether an open file can't be locked while another has a share in the lock."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    return False


def _start_of(pid: int) -> str:
    """When a process began, in ticks since its machine did; empty for one that has ended or can't be seen."""
    try:
        fields = (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if fields[0] in "ZX" else fields[19]
