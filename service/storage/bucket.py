"""Objects below a prefix of a bucket in object storage that speaks S3: single requests, each with limits.

Credentials, region and endpoint are the environment's `AWS_*`, or those of a profile; without a key the role of the
instance or container is asked for.
"""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from service.errors import Conflict, NotFound, StorageError
from service.storage.address import Address, wrong_endpoint
from service.storage.aws_profile import profile_settings
from service.storage.bucket_errors import OutOfRange, Unreachable, Unsteady, as_storage_error
from service.storage.contract import Stored

if TYPE_CHECKING:
    from obstore import ObjectMeta, PutMode
    from obstore.store import ClientConfig, RetryConfig, S3Store

Answer = TypeVar("Answer")

CLIENT: "ClientConfig" = {
    "allow_http": True,  # where the endpoint says so; without one it is https
    "connect_timeout": timedelta(seconds=5),
    "timeout": timedelta(seconds=30),
}
PATIENCE_S = 10.0
"""How long a request is tried again. With the timeouts above: nobody waits for longer than 40 seconds."""

MORE_PATIENCE_S = 60.0
"""For the data in the middle of a training: 90 seconds."""

RETRIES = 3

PART_BYTES = 8 << 20
"""What one request reads or writes at most: with a few at a time, a slow line takes less than the timeout for it."""

PARTS_AT_A_TIME = 2


class Bucket:
    """`Objects` below an address, and what it takes to write them.

    Every method raises StorageError where the storage can't be reached or refuses.
    """

    concurrency = 8

    def __init__(self, address: Address, *, patient: bool = False) -> None:
        """Send no request yet.

        Args:
            address: the prefix; keys are relative to it.
            patient: whether to try for longer.

        Raises:
            StorageError: the extra `s3` isn't installed, or the environment's variables can't be.
        """
        self.root = str(address)
        self._is_patient = patient
        self._patience_s = MORE_PATIENCE_S if patient else PATIENCE_S
        self._prefix = f"{address.prefix}/" if address.prefix else ""
        try:
            from obstore import exceptions
        except ImportError:
            raise StorageError(f"{self.root} needs the extra s3: pip install 'atelier-train[s3]'") from None
        self._errors = exceptions
        with self._storage_errors():
            own = {name: value for name, value in os.environ.items() if name.startswith("AWS_")}
            settings = profile_settings(os.environ)
            if wrong := wrong_endpoint(own | settings):
                raise StorageError(wrong)
            self._store = _client(address.bucket, self._patience_s, _items(settings), _items(own))

    def read(self, key: str) -> bytes:
        """All of an object, in requests of `PART_BYTES`. Raises NotFound."""

        def read_first() -> tuple[bytes, int]:
            found = self._store.get(self._prefix + key, options={"range": (0, PART_BYTES)})
            return found.bytes().to_bytes(), found.meta["size"]

        try:
            first, size = self._tried(read_first, key)
        except OutOfRange:  # there is nothing in it
            return b""
        rest = (self.read_range(key, at, min(PART_BYTES, size - at)) for at in range(PART_BYTES, size, PART_BYTES))
        return b"".join([first, *rest])

    def read_tagged(self, key: str) -> Stored:
        """A small object, and its ETag. Raises NotFound."""

        def read() -> Stored:
            found = self._store.get(self._prefix + key)
            return Stored(found.bytes().to_bytes(), found.meta["e_tag"] or "")

        return self._tried(read, key)

    def read_range(self, key: str, start: int, length: int) -> bytes:
        """A part of an object; less of it where the object ends before. Raises NotFound."""
        if not length:
            return b""
        try:
            return self._tried(
                lambda: self._store.get_range(self._prefix + key, start=start, length=length), key
            ).to_bytes()
        except OutOfRange:
            return b""

    def read_end(self, key: str, length: int) -> tuple[bytes, int]:
        """The last bytes of an object, and its size. Raises NotFound."""

        def read() -> tuple[bytes, int]:
            found = self._store.get(self._prefix + key, options={"range": {"suffix": length}})
            return found.bytes().to_bytes(), found.meta["size"]

        try:
            return self._tried(read, key)
        except OutOfRange:
            return b"", 0

    def sizes(self) -> dict[str, int]:
        """The size of every object, by key."""
        return {key: each["size"] for key, each in self._listed("").items()}

    def times(self, prefix: str = "") -> dict[str, datetime]:
        """When each object below a prefix was written, by key."""
        return {key: each["last_modified"] for key, each in self._listed(prefix).items()}

    def tags(self, prefix: str, after: str = "") -> dict[str, str]:
        """The ETag of each object below a prefix by key, in order. after: leave out all keys up to this one."""
        return {key: each["e_tag"] or "" for key, each in sorted(self._listed(prefix, after).items())}

    def time_of(self, key: str) -> datetime:
        """When an object was written. Raises NotFound."""
        return self._tried(lambda: self._store.head(self._prefix + key), key)["last_modified"]

    def exists(self, key: str) -> bool:
        """Whether there is such an object."""
        try:
            self.time_of(key)
        except NotFound:
            return False
        return True

    def folders(self, parent: str = "") -> list[str]:
        """The names below a parent that lead to further ones."""
        found = self._tried(lambda: self._store.list_with_delimiter(self._prefix + parent))
        return sorted(key.rpartition("/")[2] for key in found["common_prefixes"])

    def write(self, key: str, content: bytes, replaces: str | None) -> None:
        """Put an object in the place of the one with this ETag; None says that there is none.

        Raises:
            Conflict: something else is there.
            Unreachable: the answer was lost. It may be written all the same.
        """
        mode: PutMode = "create" if replaces is None else {"e_tag": replaces}
        with self._storage_errors(key):
            self._store.put(self._prefix + key, content, mode=mode)

    def create(self, key: str, content: bytes) -> bool:
        """Put an object where there is none. Returns False where there is one with another content.

        Where an answer is lost, what lies there says what became of the request.
        """

        def create() -> bool:
            try:
                self.write(key, content, None)
            except Conflict:
                try:
                    return self._store.get(self._prefix + key).bytes().to_bytes() == content
                except FileNotFoundError:
                    raise Unsteady(f"{self.root} is busy with {key}") from None
            return True

        return self._tried(create, key)

    def put(self, key: str, content: bytes | Path) -> None:
        """Put an object, whatever is there: bytes, or a file of which little is in memory at a time.

        It is there whole or not at all.
        """

        def put() -> None:
            self._store.put(self._prefix + key, content, chunk_size=PART_BYTES, max_concurrency=PARTS_AT_A_TIME)

        self._tried(put, key)

    def remove(self, *keys: str) -> None:
        """Remove objects; one that isn't there is no error."""
        if keys:
            self._tried(lambda: self._store.delete([self._prefix + key for key in keys]))

    def _listed(self, prefix: str, after: str = "") -> dict[str, "ObjectMeta"]:
        offset = self._prefix + after if after else None
        found = self._tried(lambda: self._store.list(self._prefix + prefix, offset=offset).collect())
        return {each["path"].removeprefix(self._prefix): each for each in found}

    def _tried(self, request: Callable[[], Answer], key: str = "") -> Answer:
        """The answer to a request that may be repeated.

        The library repeats a few times what isn't answered, but no list whose answer breaks off. And what is busy may
        be so for longer.
        """
        deadline, pause_s = time.monotonic() + self._patience_s, 0.1
        while True:
            try:
                with self._storage_errors(key):
                    return request()
            except Unreachable as error:
                repeats = self._is_patient or isinstance(error, Unsteady)
                if not repeats or time.monotonic() + pause_s > deadline:
                    raise
            time.sleep(pause_s)
            pause_s *= 2

    @contextmanager
    def _storage_errors(self, key: str = "") -> Iterator[None]:
        """Turn what the library raises into an error of one line: its own messages have pages."""
        try:
            yield
        except (FileNotFoundError, self._errors.BaseError) as error:
            raise as_storage_error(error, self.root, key) from None


def _items(values: dict[str, str]) -> tuple[tuple[str, str], ...]:
    return tuple(sorted(values.items()))


@lru_cache(maxsize=8)
def _client(
    bucket: str, patience_s: float, settings: tuple[tuple[str, str], ...], environment: tuple[tuple[str, str], ...]
) -> "S3Store":
    """One for all who use a bucket, since it keeps connections. environment: what the library reads of it by itself."""
    from obstore.store import S3Store

    config: Any = dict(settings)
    retries: RetryConfig = {"max_retries": RETRIES, "retry_timeout": timedelta(seconds=patience_s)}
    return S3Store(bucket, config=config, client_options=CLIENT, retry_config=retries)
