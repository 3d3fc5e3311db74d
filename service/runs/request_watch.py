"""Looks for requests to a run in a bucket, beside its rounds."""

from contextlib import suppress
from threading import Lock, Thread
from time import monotonic

from service.errors import StorageError
from service.runs.run import REQUESTS, Request
from service.storage import Bucket

REQUEST_SECONDS = 1.0
"""How often is looked, by who asks all the time."""


class RequestWatch:
    """The newest that is known of a run's requests. Looking takes a thread, so that nobody waits for it."""

    def __init__(self, bucket: Bucket) -> None:
        """Look for nothing yet. bucket: the run's objects."""
        self._bucket = bucket
        self._lock = Lock()
        self._last: Request | None = None
        self._looks = 0
        self._is_looking = False
        self._due = 0.0

    def last(self) -> Request | None:
        """What was requested when it was last looked; the next look begins where one is due."""
        with self._lock:
            if not self._is_looking and monotonic() >= self._due:
                self._is_looking = True
                Thread(target=self._look, args=(self._looks,), name="requests", daemon=True).start()
            return self._last

    def forget(self) -> None:
        """Know of no request, also where a look is under way."""
        with self._lock:
            self._looks += 1
            self._last = None

    def _look(self, number: int) -> None:
        found = None
        with suppress(StorageError):  # which whoever writes the log will be told
            there = self._bucket.tags("requests")
            found = next((what for what in REQUESTS if f"requests/{what}" in there), None)
        with self._lock:
            self._is_looking, self._due = False, monotonic() + REQUEST_SECONDS
            if number == self._looks:
                self._last = found
