"""Compiled rounds kept on disk, so that the second start compiles nothing.

A file is written under a name of its own and renamed into place: whoever reads it, in whatever process,
finds a whole file or none. It begins with a digest of the rest; what is damaged counts as absent.
Nothing in it is unpickled, it is machine code for one processor. A folder that can't be read or
written costs the time to compile, nothing else.
"""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from pathlib import Path

DIGEST = 32


@dataclass(frozen=True)
class Store:
    """A folder of object files named by digests of what they were made from."""

    folder: Path

    def get(self, key: str) -> bytes | None:
        """The object file of that key, if it is there and whole."""
        try:
            content = self._path(key).read_bytes()
        except OSError:
            return None
        digest, code = content[:DIGEST], content[DIGEST:]
        return code if sha256(code).digest() == digest else None

    def put(self, key: str, code: bytes) -> None:
        """Keep an object file, if the folder lets us."""
        temporary = None
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            handle, temporary = tempfile.mkstemp(dir=self.folder, prefix=f"{key}.", suffix=".new")
            with os.fdopen(handle, "wb") as file:
                file.write(sha256(code).digest() + code)
            Path(temporary).replace(self._path(key))
        except OSError:
            if temporary is not None:
                Path(temporary).unlink(missing_ok=True)

    def _path(self, key: str) -> Path:
        return self.folder / f"{key}.o"


@cache
def default_store() -> Store:
    """The store that the environment names: ATELIER_CACHE, else `cache` under ATELIER_HOME, else ~/.atelier/cache."""
    named = os.environ.get("ATELIER_CACHE")
    if named:
        return Store(Path(named).expanduser().absolute() / "simd")
    return Store(Path(os.environ.get("ATELIER_HOME") or "~/.atelier").expanduser().absolute() / "cache" / "simd")
