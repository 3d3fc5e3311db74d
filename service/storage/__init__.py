"""Where published models lie: a folder on this machine, or object storage."""

import re
from pathlib import Path

from service.errors import InvalidInput
from service.storage.contract import MANIFEST, Storage, Stored
from service.storage.local import LocalStorage
from service.storage.s3 import S3Storage

__all__ = ["MANIFEST", "LocalStorage", "S3Storage", "Storage", "Stored", "open_storage"]


def open_storage(place: Path | str) -> Storage:
    """The storage at a folder or at an address, `s3://bucket` or `s3://bucket/prefix`.

    Raises InvalidInput for an address of another kind, StorageError where the extra that it takes isn't installed.
    """
    if isinstance(place, Path) or "://" not in place:
        return LocalStorage(Path(place))
    address = re.fullmatch(r"s3://([a-z0-9][a-z0-9.-]+)/*((?:/[\w.-]*\w)*)/*", place, re.ASCII)
    if address is None:
        raise InvalidInput(f"models lie in a folder or at s3://bucket/prefix, got {place!r}")
    return S3Storage(address[1], address[2].strip("/"))
