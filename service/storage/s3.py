"""Object storage that speaks S3. It has no rename and no locks, but writes on a condition.

    lenet/3/.claim                    written only where there is none: whose it is, has the number; stays for ever
    lenet/3/weights.safetensors, …    then the files
    lenet/3/manifest.json             last: from here on there is a version
    lenet/.deleted-3/manifest.json    a copy of it, while the version is deleted: then the one above is missing
    lenet/aliases.json                replaced only while its ETag is the one that was read

A publisher that dies leaves a claim and files without a manifest, which nobody sees.
"""

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from service.errors import Conflict, NotFound, StorageError
from service.storage.aws_profile import profile_settings
from service.storage.contract import DELETED, MANIFEST, Stored

if TYPE_CHECKING:
    from obstore import PutMode
    from obstore.store import ClientConfig, RetryConfig

CLAIM = ".claim"

CLIENT: "ClientConfig" = {
    "allow_http": True,  # where the endpoint says so; without one it is https
    "connect_timeout": timedelta(seconds=5),
    "timeout": timedelta(seconds=30),
}
RETRIES: "RetryConfig" = {"max_retries": 3, "retry_timeout": timedelta(seconds=10)}
"""With the timeouts above: nobody waits for longer than 40 seconds for a storage that is away."""


class S3Storage:
    """A `Storage` below a prefix of a bucket.

    Credentials, region and endpoint are the environment's `AWS_*`, or those of a profile; without a key the role of the
    instance or container is asked for. Raises StorageError where the extra `s3` isn't installed, or those variables
    can't be.
    """

    def __init__(self, bucket: str, prefix: str = "") -> None:
        self.root = f"s3://{bucket}/{prefix}".rstrip("/")
        try:
            from obstore import exceptions
            from obstore.store import S3Store
        except ImportError:
            raise StorageError(f"models at {self.root} need the extra s3: pip install 'atelier-train[s3]'") from None
        self._errors = exceptions
        with self._storage_errors():
            settings: Any = profile_settings(os.environ)
            self._store = S3Store(
                bucket, prefix=prefix or None, config=settings, client_options=CLIENT, retry_config=RETRIES
            )

    def read(self, key: str) -> Stored:
        with self._storage_errors(key):
            found = self._store.get(key)
            return Stored(found.bytes().to_bytes(), found.meta["e_tag"] or "")

    def write(self, key: str, content: bytes, replaces: str | None) -> None:
        self._put(key, content, "create" if replaces is None else {"e_tag": replaces})

    def remove(self, key: str) -> None:
        self._delete(key)

    def publish(self, folder: str, files: Mapping[str, bytes]) -> None:
        self._put(f"{folder}/{CLAIM}", b"", "create")
        for name in sorted(files, key=lambda name: (name == MANIFEST, name)):
            self._put(f"{folder}/{name}", files[name])

    def published(self, parent: str = "") -> list[str]:
        return sorted(folder for folder in self._manifests(parent) if "/." not in folder)

    def used(self, parent: str) -> list[str]:
        with self._storage_errors():
            found = self._store.list_with_delimiter(parent)["common_prefixes"]
        return sorted({key.rpartition("/")[2].removeprefix(DELETED) for key in found})

    def soft_delete(self, folder: str) -> None:
        self._put(f"{_deleted_key(folder)}/{MANIFEST}", self.read(f"{folder}/{MANIFEST}").content)
        self._delete(f"{folder}/{MANIFEST}")

    def restore(self, folder: str) -> None:
        # The copy stays: whoever deletes, restores and purges at the same time, a manifest is never lost.
        manifest = self.read(f"{_deleted_key(folder)}/{MANIFEST}").content
        try:
            self._put(f"{folder}/{MANIFEST}", manifest, "create")
        except Conflict:
            raise NotFound(f"{folder} isn't deleted") from None
        try:
            self.read(f"{_deleted_key(folder)}/{MANIFEST}")
        except NotFound:  # purged in between
            self._delete(f"{folder}/{MANIFEST}")
            raise

    def purge(self, grace_s: float) -> list[str]:
        written = self._manifests()
        gone = []
        for folder in {key.replace(f"/{DELETED}", "/") for key in written} - written.keys():
            if datetime.now(UTC) - written[_deleted_key(folder)] < timedelta(seconds=grace_s):
                continue
            self._delete(f"{_deleted_key(folder)}/{MANIFEST}")  # first: `restore` looks for it last
            if folder not in self._manifests(folder):
                self._delete(*(key for key in self._keys(folder) if not key.endswith(f"/{CLAIM}")))
                gone.append(folder)
        return sorted(gone)

    def _put(self, key: str, content: bytes, mode: "PutMode" = "overwrite") -> None:
        with self._storage_errors(key):
            self._store.put(key, content, mode=mode)

    def _delete(self, *keys: str) -> None:
        with self._storage_errors():
            self._store.delete(keys)

    def _keys(self, prefix: str) -> dict[str, datetime]:
        """Every key below a prefix, and when it was written."""
        with self._storage_errors():
            return {each["path"]: each["last_modified"] for each in self._store.list(prefix).collect()}

    def _manifests(self, prefix: str = "") -> dict[str, datetime]:
        """The folders with a manifest, deleted ones too, and when that was written; what lies deeper is not ours."""
        end = f"/{MANIFEST}"
        found = {key: when for key, when in self._keys(prefix).items() if key.endswith(end) and key.count("/") == 2}
        return {key.removesuffix(end): when for key, when in found.items()}

    @contextmanager
    def _storage_errors(self, key: str = "") -> Iterator[None]:
        """Turn what the library raises into an error of one line: its own messages have pages."""
        try:
            yield
        except (FileNotFoundError, self._errors.BaseError) as error:
            code = re.search(r"<Code>(\w+)</Code>", str(error))
            if code and code[1] == "NoSuchBucket":
                raise StorageError(
                    f"there is no bucket for {self.root}: make it first, or set ATELIER_MODELS"
                ) from None
            if isinstance(error, FileNotFoundError):
                raise NotFound(f"{key} isn't there") from None
            if isinstance(error, (self._errors.AlreadyExistsError, self._errors.PreconditionError)):
                raise Conflict(f"{key} was changed by somebody else") from None
            raise StorageError(f"{self.root} {_reason(str(error), code[1] if code else '')}") from None


def _deleted_key(folder: str) -> str:
    parent, _, name = folder.rpartition("/")
    return f"{parent}/{DELETED}{name}"


def _reason(message: str, code: str) -> str:
    """What is wrong, from the library's message and the storage's own code for it."""
    if " 401 " in message or " 403 " in message:
        return f"refuses ({code or 'access denied'}): check AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_REGION"
    if "Missing" in message or "/latest/" in message:  # one half of a key, or a question to Amazon's machines
        return "needs credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE"
    if "HTTP error" in message:
        address = re.search(r"https?://[^/\s]+", message)
        return f"can't be reached{f' at {address[0]}' if address else ''}: check AWS_ENDPOINT_URL"
    return f"can't be used: {code or message.splitlines()[0]}"
