"""Where published models and data lie: a folder on this machine, or object storage."""

from pathlib import Path

from service.storage.address import Address, Place, place_of
from service.storage.bucket import Bucket
from service.storage.contract import MANIFEST, Storage, Stored
from service.storage.folder_objects import FolderObjects
from service.storage.local import LocalStorage
from service.storage.objects import Objects
from service.storage.s3 import S3Storage

__all__ = [
    "MANIFEST",
    "Address",
    "Bucket",
    "LocalStorage",
    "Objects",
    "Place",
    "S3Storage",
    "Storage",
    "Stored",
    "objects_at",
    "open_storage",
    "place_of",
]


def open_storage(place: Path | str) -> Storage:
    """The storage at a folder or at an address, `s3://bucket` or `s3://bucket/prefix`.

    Raises InvalidInput for an address of another kind, StorageError where the extra that it takes isn't installed.
    """
    if isinstance(place, Path) or "://" not in place:
        return LocalStorage(Path(place))
    address = place_of(place, "models")
    assert isinstance(address, Address)
    return S3Storage(address)


def objects_at(place: Place, *, patient: bool = False) -> Objects:
    """The objects below a folder or an address.

    Args:
        place: where they lie.
        patient: whether a storage that is away is asked for longer.

    Raises:
        StorageError: the extra that an address takes isn't installed.
    """
    return Bucket(place, patient=patient) if isinstance(place, Address) else FolderObjects(place)
