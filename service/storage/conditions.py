"""Whether a storage keeps the conditions of a write, on which numbers of versions and aliases rest."""

from contextlib import suppress
from typing import Protocol
from uuid import uuid4

from service.errors import Conflict, NotFound, StorageError
from service.storage.bucket_errors import Unsteady, Unsupported

TRIES = 4
"""How often it is looked where the storage is unsteady."""


class Conditional(Protocol):
    """What is looked at: a `Storage`, or a `Bucket`."""

    root: str

    def write(self, key: str, content: bytes, replaces: str | None) -> object:
        """See `Storage.write`."""

    def remove(self, key: str) -> None:
        """See `Storage.remove`."""


def check_conditional_writes(storage: Conditional) -> None:
    """Write a file of no meaning, and look whether a second writer is refused.

    Where an answer is lost, another such file is tried.
    Raises StorageError where it isn't refused, or where nothing can be written: there two trainings could publish the
    same version, or write to one run.
    """
    for _ in range(TRIES - 1):
        with suppress(Unsteady):
            _check_once(storage)
            return
    _check_once(storage)


def _check_once(storage: Conditional) -> None:
    key = f".probe-{uuid4().hex}"
    try:
        with suppress(Conflict):  # nobody else knows the key: an answer was lost, and the library asked again
            storage.write(key, b"first", None)
        for replaces in (None, '"0"'):
            with suppress(Conflict):
                storage.write(key, b"second", replaces)
                raise _careless(storage)
    except Unsupported:
        raise _careless(storage) from None
    finally:
        with suppress(NotFound, Unsupported):
            storage.remove(key)


def _careless(storage: Conditional) -> StorageError:
    return StorageError(
        f"{storage.root} doesn't keep the conditions of a write (If-None-Match, If-Match): two trainings could publish "
        "the same version there, or write to one run; use a storage that does"
    )
