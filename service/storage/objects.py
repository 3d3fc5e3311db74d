"""Files below one place, read whole or in part: what readers of large data ask of a folder and of a bucket."""

from typing import Protocol


class Objects(Protocol):
    """Objects by their keys, paths below one place. Any number of threads may read at once.

    Every method raises NotFound where there is no such object. A disk that refuses raises OSError; a storage that can't
    be reached or refuses raises StorageError, once it was tried again for a while.

    Attributes:
        concurrency: how many requests at a time make reading faster.
    """

    concurrency: int

    def read(self, key: str) -> bytes:
        """All of an object."""

    def read_range(self, key: str, start: int, length: int) -> bytes:
        """A part of an object; less of it where the object ends before."""

    def read_end(self, key: str, length: int) -> tuple[bytes, int]:
        """The last bytes of an object, all of it where it is shorter, and its size."""

    def sizes(self) -> dict[str, int]:
        """The size of every object, by key; none where nothing lies there."""
