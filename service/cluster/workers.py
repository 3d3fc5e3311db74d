"""What a Dask scheduler says of its workers."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

SILENCE_SECONDS = 5.0
"""How far a worker's heartbeat may lag behind the newest one of any worker before it is held to be frozen."""


@dataclass(frozen=True)
class WorkerInfo:
    """One worker, as the scheduler knows it.

    Attributes:
        status: Dask's word for what it does, e.g. `running` or `paused`.
        last_seen: when its last heartbeat came, in seconds since 1970 by the scheduler's clock.
        memory: bytes that its process holds.
        memory_limit: bytes that Dask lets it hold; 0 is no limit.
    """

    status: str
    last_seen: float
    memory: int
    memory_limit: int

    @classmethod
    def from_identity(cls, facts: Mapping[str, Any]) -> "WorkerInfo":
        """Read a worker's entry in the answer to `Scheduler.identity`."""
        memory = int(facts.get("metrics", {}).get("memory", 0))
        return cls(facts["status"], facts["last_seen"], memory, int(facts["memory_limit"] or 0))

    @property
    def runs(self) -> bool:
        """Whether it takes tasks."""
        return self.status == "running"


def silent_workers(workers: Mapping[str, WorkerInfo]) -> frozenset[str]:
    """The workers whose last heartbeat is much older than the newest one of all: they are frozen, or cut off."""
    newest = max((info.last_seen for info in workers.values()), default=0.0)
    return frozenset(worker for worker, info in workers.items() if newest - info.last_seen > SILENCE_SECONDS)


def why_none_runs(address: str, workers: Mapping[str, WorkerInfo]) -> str:
    """One line for people: why no worker of a scheduler takes tasks."""
    return why_paused(workers) or (f"the scheduler at {address} has no workers: start one with `dask worker {address}`")


def why_paused(workers: Mapping[str, WorkerInfo]) -> str:
    """One line for people where Dask paused all workers for want of memory, with the numbers; else empty."""
    paused = {worker: info for worker, info in workers.items() if info.status == "paused"}
    if not paused or len(paused) < len(workers):
        return ""
    held = ", ".join(
        f"{worker} holds {_megabytes(info.memory)} of {_megabytes(info.memory_limit)}"
        for worker, info in sorted(paused.items())[:3]
    )
    more = f", and {len(paused) - 3} more" if len(paused) > 3 else ""
    return f"Dask paused all workers for want of memory ({held}{more}): start them with a higher --memory-limit"


def _megabytes(size: int) -> str:
    return f"{size / 1e6:,.0f} MB"
