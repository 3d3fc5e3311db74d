"""CUDA sources compiled by g++ for a CPU, on which each thread is a fiber."""

import ctypes
import fcntl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from tempfile import gettempdir

HEADER = Path(__file__).with_suffix(".h")
OPTIONS = ("-O1", "-std=c++17", "-fPIC", "-w", "-U_FORTIFY_SOURCE", "-ffp-contract=off")


def library(source: str) -> ctypes.CDLL:
    """The library of a source that begins with what the header defines. The same source is compiled once."""
    folder = Path(gettempdir()) / "atelier-fibers" / sha256(HEADER.read_bytes()).hexdigest()[:20]
    folder.mkdir(parents=True, exist_ok=True)
    compiled_header = folder / "fibers.h.gch"
    made = folder / f"{sha256(source.encode()).hexdigest()[:20]}.so"
    _compile(compiled_header, "-x", "c++-header", str(HEADER))
    _compile(made, "-shared", "-include", str(compiled_header.with_suffix("")), "-x", "c++", "-", source=source)
    return ctypes.CDLL(str(made))


def _compile(made: Path, *options: str, source: str = "") -> None:
    """Compile a file that isn't there yet; of several processes, one does."""
    with _locked(made.with_suffix(".lock")):
        if not made.exists():
            part = made.with_suffix(".part")
            subprocess.run(["g++", *OPTIONS, *options, "-o", part], input=source, text=True, check=True)
            part.rename(made)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
