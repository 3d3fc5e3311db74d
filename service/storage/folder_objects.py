"""The objects of a folder: its files."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from service.errors import NotFound


class FolderObjects:
    """`Objects` in a folder of this machine, or of a file system that several machines share."""

    concurrency = 1

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def read(self, key: str) -> bytes:
        with self._opened(key) as file:
            return file.read()

    def read_range(self, key: str, start: int, length: int) -> bytes:
        with self._opened(key) as file:
            file.seek(start)
            return file.read(length)

    def read_end(self, key: str, length: int) -> tuple[bytes, int]:
        with self._opened(key) as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - length))
            return file.read(length), size

    def sizes(self) -> dict[str, int]:
        found = {}
        for folder, _, names in os.walk(self._folder):
            for path in (Path(folder) / name for name in names):
                with suppress(FileNotFoundError):
                    found[path.relative_to(self._folder).as_posix()] = path.stat().st_size
        return found

    @contextmanager
    def _opened(self, key: str) -> Iterator[BinaryIO]:
        try:
            file = (self._folder / key).open("rb")
        except (FileNotFoundError, NotADirectoryError):
            raise NotFound(f"{self._folder / key} isn't there") from None
        with file:
            yield file
