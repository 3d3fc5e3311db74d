"""What the bits of a training depend on, apart from its configuration and its data."""

from functools import lru_cache
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path

from ops.engines.base import Fingerprint
from ops.engines.choice import Choice
from ops.engines.table import find

__all__ = ["Fingerprint", "digest_of_sources", "fingerprint_of"]

PACKAGE = Path(__file__).parents[1]
"""The package `ops`."""

SOURCES = (".py", ".cu", ".cuh", ".h")


@lru_cache(maxsize=4)
def fingerprint_of(choice: Choice) -> Fingerprint:
    """The fingerprint of this process with a chosen engine."""
    return find(choice.engine).fingerprint(choice.device)


def digest_of_sources(folder: Path, *compilers: str) -> str:
    """SHA-256 of the sources in a folder, in the order of their paths, and of the versions of what compiles them."""
    digest = sha256(" ".join(f"{name} {version(name)}" for name in compilers).encode())
    for path in sorted(folder.rglob("*")):
        if path.suffix in SOURCES:
            digest.update(f"{path.relative_to(folder)}\0".encode() + path.read_bytes())
    return digest.hexdigest()
