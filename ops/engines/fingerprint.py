"""What the bits of a training depend on, apart from its configuration and its data."""

import platform
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path

import numpy as np

from ops.engines.choice import Choice

PACKAGE = Path(__file__).parents[1]
"""The package `ops`."""

SOURCES = (".py", ".cu", ".cuh", ".h")


@dataclass(frozen=True)
class Fingerprint:
    """Two processes with equal fingerprints compute the same bits from the same arguments.

    Attributes:
        engine: which engine executes the steps.
        device: the processor's architecture, or a GPU's compute capability.
        lanes: float32 numbers in a vector register, where the engine's order of sums depends on it; else 0.
        kernels: digest of the sources that the engine's kernels are made from; empty for an engine without any.
        libraries: NumPy and BLAS, with version and kernel architecture, where the engine computes with them.
    """

    engine: str
    device: str
    lanes: int = 0
    kernels: str = ""
    libraries: str = ""

    def __str__(self) -> str:
        """A few words for people."""
        width = f" with {self.lanes} lanes" if self.lanes else ""
        kernels = f", kernels {self.kernels[:8]}" if self.kernels else ""
        libraries = f", {self.libraries}" if self.libraries else ""
        return f"{self.engine} on {self.device}{width}{kernels}{libraries}"


@lru_cache(maxsize=4)
def fingerprint_of(choice: Choice) -> Fingerprint:
    """The fingerprint of this process with a chosen engine."""
    if choice.engine == "simd":
        from ops.engines.simd.cpu import cpu

        compilers = f"numba {version('numba')} llvmlite {version('llvmlite')}"
        return Fingerprint("simd", platform.machine(), cpu().lanes, _digest(PACKAGE / "engines" / "simd", compilers))
    if choice.engine == "cuda":
        return Fingerprint("cuda", _compute_capability(), kernels=_digest(PACKAGE / "engines" / "cuda"))
    if choice.device == "cuda":
        kernels = _digest(PACKAGE / "backends" / "cuda")
        return Fingerprint(choice.engine, _compute_capability(), kernels=kernels, libraries=_libraries_on_gpu())
    return Fingerprint(choice.engine, platform.machine(), libraries=f"NumPy {np.__version__}, {_blas()}")


def _digest(folder: Path, compilers: str = "") -> str:
    """SHA-256 of the sources of a package, in the order of their paths, and of what compiles them."""
    digest = sha256(compilers.encode())
    for path in sorted(folder.rglob("*")):
        if path.suffix in SOURCES:
            digest.update(f"{path.relative_to(folder)}\0".encode() + path.read_bytes())
    return digest.hexdigest()


def _blas() -> str:
    """The BLAS that NumPy uses, and for which architecture it computes."""
    from threadpoolctl import threadpool_info

    found = sorted(
        f"{library['internal_api']} {library['version']} for {library.get('architecture', 'any processor')}"
        for library in threadpool_info()
        if library["user_api"] == "blas"
    )
    return found[0] if found else "no BLAS"


def _compute_capability() -> str:
    import cupy

    return f"sm_{cupy.cuda.Device().compute_capability}"


def _libraries_on_gpu() -> str:
    """CuPy, and cuDNN where it takes the steps."""
    import cupy

    from ops.backends.cuda import cudnn

    found = "" if cudnn.missing() else f", cuDNN {cudnn.Library().version}"
    return f"CuPy {cupy.__version__}{found}"
