"""What the system says of processes, rather than those who started them."""

import os
from pathlib import Path
from time import monotonic, sleep

PROC = Path("/proc")
GRACE_SECONDS = 5


def survivors(home: Path) -> dict[int, str]:
    """The processes with this ATELIER_HOME in their environment, and their commands; the caller's own is left out.

    One that is about to end gets the time for it.
    """
    deadline = monotonic() + GRACE_SECONDS
    while (found := _with_variable(f"ATELIER_HOME={home}".encode())) and monotonic() < deadline:
        sleep(0.1)
    return found


def is_stopped(process: int) -> bool:
    """Whether a process is halted by a signal."""
    try:
        return (PROC / str(process) / "stat").read_text().rpartition(")")[2].split()[0] == "T"
    except OSError:
        return False


def _with_variable(variable: bytes) -> dict[int, str]:
    found = {}
    for folder in PROC.iterdir():
        if not folder.name.isdigit() or int(folder.name) == os.getpid():
            continue
        try:
            if variable in (folder / "environ").read_bytes().split(b"\0"):
                found[int(folder.name)] = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode().strip()
        except OSError:
            continue  # it has ended, or is somebody else's
    return found
