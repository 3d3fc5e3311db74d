"""What a compiled program is kept under: a digest of everything that its machine code depends on."""

from __future__ import annotations

from functools import cache
from hashlib import sha256
from importlib.metadata import version
from inspect import getsourcefile
from pathlib import Path

from ops.engines.simd.cpu import cpu
from ops.engines.simd.kernels import find
from ops.network import Network
from ops.step_config import StepConfig

PACKAGE = Path(__file__).resolve().parents[2]
"""The package `ops`. Kernels are generated from this engine, layers, geometry and what these import: all counts."""


def cache_key(network: Network, step_config: StepConfig) -> str | None:
    """The key for a network with its step configuration; None where it has a layer without a source file."""
    classes = sorted({cls for layer in network.layers for cls in (type(layer), find(layer)) if cls}, key=_full_name)
    try:
        files = [Path(getsourcefile(cls) or "") for cls in classes]
        others = [path.read_bytes() for path in sorted(set(files)) if not path.resolve().is_relative_to(PACKAGE)]
    except (OSError, TypeError):
        return None
    parts = (
        package_digest(PACKAGE),
        [sha256(source).hexdigest() for source in others],
        version("llvmlite"),
        cpu(),
        [_full_name(cls) for cls in classes],
        network,
        step_config,
    )
    return sha256(repr(parts).encode()).hexdigest()


@cache
def package_digest(package: Path) -> str:
    """A digest of all Python sources below a folder: of their names and their bytes."""
    digest = sha256()
    for path in sorted(package.rglob("*.py")):
        source = path.read_bytes()
        digest.update(f"{path.relative_to(package).as_posix()} {len(source)} ".encode() + source)
    return digest.hexdigest()


def _full_name(cls: type) -> str:
    return f"{cls.__module__}.{cls.__qualname__}"
