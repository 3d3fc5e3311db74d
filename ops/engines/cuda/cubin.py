"""Kernels compiled for a GPU, kept beside the CPU engine's object files, so that the second start compiles nothing."""

from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256

from ops.engines.object_cache import ObjectCache

OPTIONS = ("-std=c++17", "-ftz=true")
"""What the kernels are compiled with; the second one is what CuPy gives for kernels of its own."""


@dataclass(frozen=True)
class Compiler:
    """What turns CUDA C++ into machine code, and all that this depends on besides the code and `OPTIONS`.

    Attributes:
        architecture: the GPU's compute capability, as "90".
        version: of the compiler and of what calls it.
        run: compiles code.
    """

    architecture: str
    version: str
    run: Callable[[str], bytes]


def cubin(code: str, compiler: Compiler, cache: ObjectCache, *, fresh: bool = False) -> bytes:
    """The machine code of some kernels: what is kept, else compiled and kept.

    fresh: compile in any case, because what was kept can't be used.
    """
    name = key(code, compiler)
    kept = None if fresh else cache.get(name)
    if kept is not None:
        return kept
    made = compiler.run(code)
    cache.put(name, made)
    return made


def key(code: str, compiler: Compiler) -> str:
    """Names the machine code by everything that it follows from."""
    parts = (code, *OPTIONS, compiler.architecture, compiler.version)
    return sha256("\0".join(parts).encode()).hexdigest()
