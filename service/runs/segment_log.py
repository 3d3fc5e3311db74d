"""Writes a round log to a bucket, from a thread of its own: rounds don't wait for requests."""

import json
from collections import deque
from collections.abc import Callable
from threading import Condition, Thread
from time import monotonic
from types import TracebackType
from typing import Any

from service.errors import RunError, StorageError
from service.runs.bucket_lease import BucketLeases
from service.runs.chain import GENESIS, Entry, checked, hash_of, new_line
from service.runs.lease import Lease, taken_over
from service.runs.segments import FENCE, lines, segment_key
from service.storage import Address, Bucket

SEGMENT_SECONDS = 1.0
"""Lines wait so long for others that go with them."""

MOST_JOBS = 2
"""So many jobs may wait, each with a state of the run in memory; then the rounds wait."""

END_SECONDS = 5.0
"""How long a process that failed or was interrupted waits for its last lines to be written."""

Job = Callable[[], object]


class SegmentLog:
    """A `Log` in a bucket.

    A line is on its way when `append` returns, and one of the kind `end` is there, with all before it. What goes wrong
    is raised by what is called next.
    """

    def __init__(self, address: Address, bucket: Bucket, lease: Lease) -> None:
        """Open or begin a log, and keep all others from writing to it.

        Args:
            address: where the run lies.
            bucket: its objects.
            lease: this process's on the run.

        Raises:
            Conflict: another process has taken the run over.
            RunError: the log's chain is broken.
        """
        self._address = address
        self._bucket = bucket
        self._lease = lease
        self._number, self._previous = self._fence()
        self._waiting: deque[bytes | Job] = deque()
        self._changed = Condition()
        self._is_busy = self._is_urgent = self._is_closed = False
        self._error: BaseException | None = None
        self._thread = Thread(target=self._work, name="round log", daemon=True)
        self._thread.start()

    def append(self, kind: str, *, sync: bool = True, **values: Any) -> Entry:
        """See `Log.append`. sync: of no meaning here."""
        entry, line = new_line(kind, values, self._previous)
        self._previous = hash_of(line)
        self._add(line)
        if kind == "end":
            self._drain()
        return entry

    def after(self, job: Job) -> None:
        """See `Log.after`."""
        with self._changed:
            self._changed.wait_for(lambda: self._error or sum(map(callable, self._waiting)) < MOST_JOBS)
        self._add(job)

    def __enter__(self) -> "SegmentLog":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self._drain()
            elif self._error is None:
                self._drain(END_SECONDS)
        finally:
            with self._changed:
                self._is_closed = True
                self._waiting.clear()
                self._changed.notify_all()

    def _fence(self) -> tuple[int, str]:
        """Write the first line of this process; the number of the next segment, and the hash of that line."""
        while True:
            number, previous, where = 0, GENESIS, ""
            for found, line in lines(self._address, self._bucket):
                previous = checked(found, line, previous)
                number, where = number + (found != where), found
                entry = json.loads(line)
                if entry["kind"] == FENCE and entry["lease"] > self._lease.number:
                    raise taken_over(self._address.name)
            values = {"lease": self._lease.number, "token": self._lease.token}
            _, line = new_line(FENCE, values, previous)
            if self._bucket.create(segment_key(number), line):
                return number + 1, hash_of(line)

    def _add(self, item: bytes | Job) -> None:
        with self._changed:
            if self._error:
                raise self._error
            self._waiting.append(item)
            self._changed.notify_all()

    def _drain(self, timeout_s: float | None = None) -> None:
        """Wait until everything is done."""
        with self._changed:
            self._is_urgent = True
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._error or not (self._waiting or self._is_busy), timeout_s)
            self._is_urgent = False
            if self._error and timeout_s is None:
                raise self._error

    def _work(self) -> None:
        written_at = -SEGMENT_SECONDS
        while (taken := self._take(written_at + SEGMENT_SECONDS)) is not None:
            try:
                if isinstance(taken, bytes):
                    self._write(taken)
                    written_at = monotonic()
                else:
                    self._check_lease()
                    taken()
            except BaseException as error:
                with self._changed:
                    self._error = self._explained(error)
                    self._is_busy = False
                    self._waiting.clear()
                    self._changed.notify_all()
                return
            with self._changed:
                self._is_busy = False
                self._changed.notify_all()

    def _take(self, due: float) -> bytes | Job | None:
        """What is next: a segment, once it is due or something waits behind it, or a job; None at the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._is_closed)
            self._changed.wait_for(
                lambda: self._is_urgent or self._is_closed or any(map(callable, self._waiting)),
                max(0.0, due - monotonic()),
            )
            if self._is_closed or not self._waiting:
                return None
            self._is_busy = True
            taken = [self._waiting.popleft()]
            while self._waiting and isinstance(taken[0], bytes) and isinstance(self._waiting[0], bytes):
                taken.append(self._waiting.popleft())
            return b"".join(line for line in taken if isinstance(line, bytes)) or taken[0]

    def _write(self, segment: bytes) -> None:
        if not self._bucket.create(segment_key(self._number), segment):
            raise taken_over(self._address.name)
        self._number += 1

    def _check_lease(self) -> None:
        """Raise Conflict where the lease isn't the newest; asks a storage that is away as long as a write does."""
        current = BucketLeases(self._bucket, self._address.name).current()
        if current is None or current.token != self._lease.token:
            raise taken_over(self._address.name)

    def _explained(self, error: BaseException) -> BaseException:
        if not isinstance(error, StorageError):
            return error
        run = self._address.name
        return RunError(f"run {run} can't be written: {error}; `atelier runs resume {run}` continues it later")
