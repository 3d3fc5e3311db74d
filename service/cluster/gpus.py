"""The GPUs that processes started here may use, found without CUDA in this process, and a GPU for each process.

python -m service.cluster.gpus dask worker …    # runs the command on a GPU that the fewest others have claimed
"""

import fcntl
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from itertools import count, takewhile
from pathlib import Path

from service.errors import ClusterError
from service.home import Home

VARIABLE = "CUDA_VISIBLE_DEVICES"
"""Which GPUs CUDA shows to a process, by number or by UUID. The first one is what our engines take."""

GPU_LOCKS = "gpus"
"""The folder in the cache with the locks of processes that have a GPU."""

SECONDS = 30
"""How long the system may take to say which GPUs it has."""

COUNT = "import cupy; print(cupy.cuda.runtime.getDeviceCount())"


def visible_gpus() -> tuple[str, ...]:
    """The GPUs that a process started from here may use, each as `CUDA_VISIBLE_DEVICES` names it.

    NVIDIA's own tool says which there are: slices (MIG) instead of a GPU that is divided. Where it is missing, CUDA is
    asked in a process of its own. What the variable already leaves out stays out.
    """
    named = os.environ.get(VARIABLE)
    listed = _output("nvidia-smi", "-L")
    if listed is None:
        number = int(_output(sys.executable, "-c", COUNT) or 0)
        return tuple(_entries(named)[:number]) if named is not None else tuple(map(str, range(number)))
    gpus, uuids = _parsed(listed)
    if named is None:
        return uuids
    # As CUDA does: what follows an entry that names nothing doesn't count.
    return tuple(takewhile(lambda entry: _is_known(entry, gpus, uuids), _entries(named)))


def environment_of(number: int, gpus: Sequence[str]) -> dict[str, str]:
    """The environment by which one of several processes takes its GPU. More processes than GPUs share them evenly.

    Args:
        number: which of the processes, from 0 on.
        gpus: what `visible_gpus` found; not empty.
    """
    return {VARIABLE: gpus[number % len(gpus)]}


def claim(gpus: Sequence[str], folder: Path) -> str:
    """A GPU that the fewest other processes have claimed, for as long as this process or what it turns into lives.

    A claim is a locked file, which the system unlocks however the process ends.

    Args:
        gpus: which there are; not empty.
        folder: where the locks lie, shared by all processes that are not to meet on one GPU.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for share in count():
        for gpu in gpus:
            lock = os.open(folder / f"{gpu.replace('/', '-')}.{share}.lock", os.O_CREAT | os.O_RDWR, 0o644)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(lock)
                continue
            os.set_inheritable(lock, True)
            return gpu
    raise AssertionError("there is always another share")


def main(command: list[str]) -> None:
    """Become a command, with a GPU of its own. Raises ClusterError where there is none."""
    gpus = visible_gpus()
    if not gpus:
        raise ClusterError("no GPU is to be seen here: is the NVIDIA container toolkit installed?")
    os.environ[VARIABLE] = claim(gpus, Home.from_environment().cache / GPU_LOCKS)
    os.execvp(command[0], command)  # noqa: S606 -- no shell is what is wanted


def _output(*command: str) -> str | None:
    """What a program prints; None where there is no such program, or it fails."""
    try:
        done = subprocess.run(  # noqa: S603 -- our own words; nvidia-smi comes from the PATH on purpose
            command, capture_output=True, text=True, timeout=SECONDS, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout


def _parsed(listed: str) -> tuple[int, tuple[str, ...]]:
    """How many GPUs `nvidia-smi -L` lists, and the UUIDs of those and of the slices that processes can use."""
    groups: list[list[str]] = []
    for kind, uuid in re.findall(r"^(\s*\S+).*\(UUID: (\S+)\)", listed, re.MULTILINE):
        if kind == "GPU":
            groups.append([uuid])
        elif groups:
            groups[-1].append(uuid)
    return len(groups), tuple(uuid for gpu, *slices in groups for uuid in slices or [gpu])


def _entries(named: str) -> list[str]:
    return [entry.strip() for entry in named.split(",")]


def _is_known(entry: str, gpus: int, uuids: Sequence[str]) -> bool:
    """Whether an entry of the variable names a GPU: a number, a slice, or the beginning of a UUID."""
    if entry.isdecimal():
        return int(entry) < gpus
    return entry.startswith("MIG-") or any(entry and uuid.startswith(entry) for uuid in uuids)


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except ClusterError as error:
        sys.exit(f"error: {error}")
