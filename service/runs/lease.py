"""The lease on a run: one coordinator at a time works on it, also on file systems whose locks don't work.

A lease is a file `lease/<fencing number>` in the run's folder; the highest number is the valid one. It appears by an
atomic exclusive link, so that of two processes that want the same number one gets it. Its holder renews it while it
works. A lease that was released, or whose holder is gone, is followed by one with the next number. A holder that was
paused meanwhile notices by `check`, which is called before anything is written, that its number isn't the highest.

Where `flock` works it is held too: it tells at once that another process of this machine works on the run, and it is
what versions without leases look at.
"""

import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from secrets import token_hex
from threading import Event, Lock, Thread

from service.errors import Conflict
from service.files import canonical_json
from service.runs.holder import Holder, LockState, file_lock, lock_state, this_process

LEASE_SECONDS = 15.0
"""A lease that wasn't renewed for so long may be followed by another."""

RENEW_SECONDS = 3.0
"""How often a holder renews its lease."""

CLOCK_SKEW_SECONDS = 60.0
"""How far the clocks of two machines may be apart."""

POLL_SECONDS = 0.2


@dataclass(frozen=True)
class LeaseRecord:
    """What a lease's file says.

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


class Lease:
    """A lease that this process holds. Make one with `lease_on`."""

    def __init__(self, folder: Path, record: LeaseRecord) -> None:
        self._folder = folder
        self._record = record
        self._writing = Lock()
        self._done = Event()
        self._renewer = Thread(target=self._keep_renewing, name="lease", daemon=True)
        self._renewer.start()

    @property
    def number(self) -> int:
        """The fencing number."""
        return self._record.number

    def check(self) -> None:
        """Raise Conflict where another process has taken the run over. Called before anything of it is written."""
        current = current_lease(self._folder)
        if current is None or current.number != self.number or current.token != self._record.token:
            raise Conflict(
                f"run {self._folder.parent.name} was taken over by another process while this one was paused; "
                "nothing more is written by this one"
            )

    def release(self) -> None:
        """Say that this process is done with the run."""
        self._done.set()
        self._renewer.join()
        with suppress(OSError, Conflict):
            self._renew(released=True)

    def _keep_renewing(self) -> None:
        while not self._done.wait(RENEW_SECONDS):
            try:
                self._renew()
            except Conflict:
                return
            except OSError:  # on a full disk, say, which the next write to the log will report
                continue

    def _renew(self, *, released: bool = False) -> None:
        with self._writing:
            self.check()
            renewals = self._record.renewals + 1
            self._record = replace(self._record, renewals=renewals, renewed_at=time.time(), released=released)
            draft = _write_draft(self._folder, self._record)
            draft.replace(self._folder / str(self.number))


@contextmanager
def lease_on(run: Path) -> Iterator[Lease]:
    """Hold the lease on a run while the block lasts.

    A lease whose holder can't be seen from here, since it is on another machine, is watched for `LEASE_SECONDS` first.

    Args:
        run: the run's folder.

    Raises:
        Conflict: another process works on the run.
    """
    with file_lock(run / "lock") as lock:
        folder = run / "lease"
        folder.mkdir(exist_ok=True)
        lease = Lease(folder, _take(folder, lock))
        try:
            yield lease
        finally:
            lease.release()


def is_held(run: Path) -> bool:
    """Whether some process seems to work on a run, as far as can be told without waiting. Nothing is written."""
    lease, lock = current_lease(run / "lease"), lock_state(run / "lock")
    return lock == "busy" or (lease is not None and not lease.is_free(lock))


def current_lease(folder: Path) -> LeaseRecord | None:
    """The lease with the highest number in a folder of leases; None where there is none."""
    for number in sorted(_numbers(folder), reverse=True):
        with suppress(FileNotFoundError):
            return _read(folder / str(number))
    return None


def _take(folder: Path, lock: LockState) -> LeaseRecord:
    """Make the next lease. Raises Conflict where the current one is alive."""
    while True:
        current = current_lease(folder)
        if lock == "busy" and (current is None or not current.is_free(lock)):
            raise _conflict(folder, current)
        if current is not None and not current.is_free(lock):
            _watch(folder, current)
        number = current.number + 1 if current else 1
        record = LeaseRecord(number, token_hex(8), this_process(), renewed_at=time.time())
        if _create(folder, record):
            _clear_earlier(folder, number)
            return record


def _watch(folder: Path, lease: LeaseRecord) -> None:
    """Return when a lease was released, or not renewed for `LEASE_SECONDS`. Raises Conflict where it is alive."""
    deadline = time.monotonic() + LEASE_SECONDS
    while time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)
        current = current_lease(folder)
        if current is None or current.released:
            return
        if (current.number, current.renewals) != (lease.number, lease.renewals):
            raise _conflict(folder, current)


def _conflict(folder: Path, lease: LeaseRecord | None) -> Conflict:
    who = f" (number {lease.holder.pid} on {lease.holder.host})" if lease and lease.holder.host else ""
    return Conflict(f"run {folder.parent.name} is being worked on by another process{who}")


def _create(folder: Path, record: LeaseRecord) -> bool:
    """Have a lease appear whole, unless there is one of that number. Returns whether it did."""
    target, draft = folder / str(record.number), _write_draft(folder, record)
    try:
        try:
            os.link(draft, target)
        except FileExistsError:
            return False
        except OSError:  # a file system without hard links
            with target.open("x") as file:
                file.write(_as_json(record))
    except FileExistsError:
        return False
    finally:
        draft.unlink(missing_ok=True)
    return True


def _clear_earlier(folder: Path, number: int) -> None:
    """Remove earlier leases, and drafts that processes left when they died."""
    for path in folder.iterdir():
        draft_of = path.name[1:].partition("-")[0] if path.name.startswith(".") else ""
        is_draft = draft_of.isdigit() and int(draft_of) <= number
        if is_draft or (path.name.isdigit() and int(path.name) < number):
            path.unlink(missing_ok=True)


def _write_draft(folder: Path, record: LeaseRecord) -> Path:
    draft = folder / f".{record.number}-{record.token}"
    draft.write_text(_as_json(record))
    return draft


def _as_json(record: LeaseRecord) -> str:
    return canonical_json(asdict(record)) + "\n"


def _read(path: Path) -> LeaseRecord:
    """Read a lease. One that is cut short counts as its file's age tells, and nothing is known of its holder."""
    text, written_at = path.read_text(), path.stat().st_mtime
    try:
        values = json.loads(text)
        return LeaseRecord(**{**values, "holder": Holder(**values["holder"])})
    except (ValueError, TypeError, KeyError):
        return LeaseRecord(int(path.name), "", Holder(), renewed_at=written_at)


def _numbers(folder: Path) -> list[int]:
    try:
        return [int(path.name) for path in folder.iterdir() if path.name.isdigit()]
    except FileNotFoundError:
        return []
