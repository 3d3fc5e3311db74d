"""Object files kept on disk, so that the second start compiles nothing.

A file is written under a temporary name and renamed into place: a reader, in whatever process, finds a whole file or
none. It begins with a digest of the rest; a damaged file counts as absent. Nothing in it is unpickled: it is machine
code for one kind of processor or GPU. A folder that can't be read or written costs the time to compile, nothing else.
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
class ObjectCache:
    """A folder of object files, named by digests of what they were made from."""

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
def object_cache(engine: str) -> ObjectCache:
    """An engine's cache where the environment wants it.

    That is in ATELIER_CACHE, else in `cache` under ATELIER_HOME, or ATELIER_LOCAL where that is no folder, else in
    ~/.atelier/cache.
    """
    named = os.environ.get("ATELIER_CACHE")
    home = os.environ.get("ATELIER_HOME", "")
    local = os.environ.get("ATELIER_LOCAL", "") if "://" in home else home
    folder = Path(named) if named else Path(local or "~/.atelier") / "cache"
    return ObjectCache(folder.expanduser().absolute() / engine)
