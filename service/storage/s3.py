"""Object storage that speaks S3. It has no rename and no locks, but writes on a condition.

    lenet/3/.claim                    written only where there is none: whose it is, has the number; stays for ever
    lenet/3/weights.safetensors, …    then the files
    lenet/3/manifest.json             last: from here on there is a version
    lenet/.deleted-3/manifest.json    a copy of it, while the version is deleted: then the one above is missing
    lenet/aliases.json                replaced only while its ETag is the one that was read

A publisher that dies leaves a claim and files without a manifest, which nobody sees.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from service.errors import Conflict, NotFound
from service.storage.address import Address
from service.storage.bucket import Bucket
from service.storage.contract import DELETED, MANIFEST, Stored

CLAIM = ".claim"


class S3Storage:
    """A `Storage` below an address. Raises StorageError where it can't be; see `service.storage.bucket`."""

    def __init__(self, address: Address) -> None:
        self.root = str(address)
        self._bucket = Bucket(address)

    def read(self, key: str) -> Stored:
        return self._bucket.read_tagged(key)

    def write(self, key: str, content: bytes, replaces: str | None) -> None:
        self._bucket.write(key, content, replaces)

    def remove(self, key: str) -> None:
        self._bucket.remove(key)

    def publish(self, folder: str, files: Mapping[str, bytes]) -> None:
        self._bucket.write(f"{folder}/{CLAIM}", b"", None)
        for name in sorted(files, key=lambda name: (name == MANIFEST, name)):
            self._bucket.put(f"{folder}/{name}", files[name])

    def published(self, parent: str = "") -> list[str]:
        return sorted(folder for folder in self._manifests(parent) if "/." not in folder)

    def used(self, parent: str) -> list[str]:
        return sorted({name.removeprefix(DELETED) for name in self._bucket.folders(parent)})

    def soft_delete(self, folder: str) -> None:
        self._bucket.put(f"{_deleted_key(folder)}/{MANIFEST}", self.read(f"{folder}/{MANIFEST}").content)
        self._bucket.remove(f"{folder}/{MANIFEST}")

    def restore(self, folder: str) -> None:
        # The copy stays: whoever deletes, restores and purges at the same time, a manifest is never lost.
        manifest = self.read(f"{_deleted_key(folder)}/{MANIFEST}").content
        try:
            self._bucket.write(f"{folder}/{MANIFEST}", manifest, None)
        except Conflict:
            raise NotFound(f"{folder} isn't deleted") from None
        try:
            self.read(f"{_deleted_key(folder)}/{MANIFEST}")
        except NotFound:  # purged in between
            self._bucket.remove(f"{folder}/{MANIFEST}")
            raise

    def purge(self, grace_s: float) -> list[str]:
        written = self._manifests()
        gone = []
        for folder in {key.replace(f"/{DELETED}", "/") for key in written} - written.keys():
            if datetime.now(UTC) - written[_deleted_key(folder)] < timedelta(seconds=grace_s):
                continue
            self._bucket.remove(f"{_deleted_key(folder)}/{MANIFEST}")  # first: `restore` looks for it last
            if folder not in self._manifests(folder):
                self._bucket.remove(*(key for key in self._bucket.times(folder) if not key.endswith(f"/{CLAIM}")))
                gone.append(folder)
        return sorted(gone)

    def _manifests(self, prefix: str = "") -> dict[str, datetime]:
        """The folders with a manifest, deleted ones too, and when that was written; what lies deeper is not ours."""
        end = f"/{MANIFEST}"
        written = self._bucket.times(prefix)
        found = {key: when for key, when in written.items() if key.endswith(end) and key.count("/") == 2}
        return {key.removesuffix(end): when for key, when in found.items()}


def _deleted_key(folder: str) -> str:
    parent, _, name = folder.rpartition("/")
    return f"{parent}/{DELETED}{name}"
