"""The lease on a run: one coordinator at a time works on it, wherever the run lies.

A lease has a fencing number; the highest is the valid one. Of two processes that want the same number one gets it. Its
holder renews it while it works. A lease that was released, or whose holder is gone, is followed by one with the next
number. A holder that was paused meanwhile notices by `check`, which is called before anything is written, that its
number isn't the highest. `Leases` says what that takes of a folder or a bucket.
"""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from secrets import token_hex
from threading import Event, Lock, Thread
from typing import Protocol

from service.errors import Conflict, StorageError
from service.files import canonical_json
from service.runs.holder import Holder, LockState, this_process

LEASE_SECONDS = 15.0
"""A lease that wasn't renewed for so long may be followed by another."""

RENEW_SECONDS = 3.0
"""How often a holder renews its lease."""

CLOCK_SKEW_SECONDS = 60.0
"""How far the clocks of two machines may be apart."""

POLL_SECONDS = 0.2
"""How often a lease is looked at that is watched."""


@dataclass(frozen=True)
class LeaseRecord:
    """What a lease says.

    Attributes:
        number: the fencing number.
        token: random, so that nobody takes another's lease for its own.
        holder: who holds it.
        renewals: how often it was renewed.
        renewed_at: when, in seconds since 1970 by the holder's clock.
        released: whether its holder is done.
    """

    number: int
    token: str
    holder: Holder
    renewals: int = 0
    renewed_at: float = 0.0
    released: bool = False

    def is_free(self, lock: LockState) -> bool:
        """Whether it may be followed by another at once.

        Args:
            lock: of the file lock that any holder on this machine would hold too.
        """
        is_local = self.holder.is_on_this_machine
        # Whoever holds the lock lives: it was paused, or is so busy that it doesn't come to renewing.
        grace_s = 0 if is_local and lock != "busy" else CLOCK_SKEW_SECONDS
        is_old = time.time() - self.renewed_at > LEASE_SECONDS + grace_s
        return self.released or self.holder.is_gone or (lock == "held" and is_local) or is_old

    def to_json(self) -> str:
        """The record as it is written down."""
        return canonical_json(asdict(self)) + "\n"

    @classmethod
    def from_json(cls, text: str) -> "LeaseRecord":
        """A record that was written down. Raises ValueError, TypeError or KeyError for anything else."""
        values = json.loads(text)
        return cls(**{**values, "holder": Holder(**values["holder"])})


class Leases(Protocol):
    """The leases on one run. Every method raises OSError or StorageError where they can't be read or written.

    Attributes:
        run: the run's name.
    """

    run: str

    def current(self) -> LeaseRecord | None:
        """The lease with the highest number; None where there is none."""

    def create(self, record: LeaseRecord) -> bool:
        """Have a lease appear whole, unless there is one of that number. Returns whether it did."""

    def renew(self, record: LeaseRecord) -> None:
        """Write a lease anew that this process has created."""

    def clear_earlier(self, number: int) -> None:
        """Remove the leases before one, and what processes left of theirs when they died."""


class Lease:
    """A lease that this process holds. Make one with `taken`."""

    def __init__(self, leases: Leases, record: LeaseRecord) -> None:
        self._leases = leases
        self._record = record
        self._writing = Lock()
        self._done = Event()
        self._renewer = Thread(target=self._keep_renewing, name="lease", daemon=True)
        self._renewer.start()

    @property
    def number(self) -> int:
        """The fencing number."""
        return self._record.number

    @property
    def token(self) -> str:
        """What no other lease has."""
        return self._record.token

    def check(self) -> None:
        """Raise Conflict where another process has taken the run over. Called before anything of it is written."""
        current = self._leases.current()
        if current is None or (current.number, current.token) != (self.number, self.token):
            raise taken_over(self._leases.run)

    def release(self) -> None:
        """Say that this process is done with the run."""
        self._done.set()
        self._renewer.join()
        with suppress(OSError, StorageError, Conflict):
            self._renew(released=True)

    def _keep_renewing(self) -> None:
        while not self._done.wait(RENEW_SECONDS):
            try:
                self._renew()
            except Conflict:
                return
            except (OSError, StorageError):  # on a full disk, say, which the next write to the log will report
                continue

    def _renew(self, *, released: bool = False) -> None:
        with self._writing:
            self.check()
            renewals = self._record.renewals + 1
            self._record = replace(self._record, renewals=renewals, renewed_at=time.time(), released=released)
            self._leases.renew(self._record)


def taken_over(run: str) -> Conflict:
    """What a process is told that was paused, and finds another one at its work."""
    return Conflict(
        f"run {run} was taken over by another process while this one was paused; nothing more is written by this one"
    )


@contextmanager
def taken(leases: Leases, lock: LockState) -> Iterator[Lease]:
    """Hold a lease while the block lasts.

    A lease whose holder can't be seen from here, since it is on another machine, is watched for `LEASE_SECONDS` first.

    Args:
        leases: those on the run.
        lock: of the file lock that any holder on this machine would hold too.

    Raises:
        Conflict: another process works on the run.
    """
    lease = Lease(leases, _take(leases, lock))
    try:
        yield lease
    finally:
        lease.release()


def _take(leases: Leases, lock: LockState) -> LeaseRecord:
    """Make the next lease. Raises Conflict where the current one is alive."""
    while True:
        current = leases.current()
        if lock == "busy" and (current is None or not current.is_free(lock)):
            raise _conflict(leases, current)
        if current is not None and not current.is_free(lock):
            _watch(leases, current)
        number = current.number + 1 if current else 1
        record = LeaseRecord(number, token_hex(8), this_process(), renewed_at=time.time())
        if leases.create(record):
            leases.clear_earlier(number)
            return record


def _watch(leases: Leases, lease: LeaseRecord) -> None:
    """Return when a lease was released, or not renewed for `LEASE_SECONDS`. Raises Conflict where it is alive."""
    deadline = time.monotonic() + LEASE_SECONDS
    while time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)
        current = leases.current()
        if current is None or current.released:
            return
        if (current.number, current.renewals) != (lease.number, lease.renewals):
            raise _conflict(leases, current)


def _conflict(leases: Leases, lease: LeaseRecord | None) -> Conflict:
    who = f" (number {lease.holder.pid} on {lease.holder.host})" if lease and lease.holder.host else ""
    return Conflict(f"run {leases.run} is being worked on by another process{who}")
