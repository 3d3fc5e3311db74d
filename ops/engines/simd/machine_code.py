"""The machine code of a network's steps: out of the cache or compiled, and loaded as a function for Python."""

from __future__ import annotations

import ctypes
from collections.abc import Callable

import llvmlite.binding as llvm

from ops.engines.object_cache import ObjectCache
from ops.engines.simd.cache_key import cache_key
from ops.engines.simd.program.compiler import ENTRY, compile_program, target_machine
from ops.engines.simd.program.plan import Plan
from ops.network import Network
from ops.step_config import StepConfig

PROTOTYPE = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * 8, ctypes.c_int64, ctypes.c_int64, *[ctypes.c_void_p] * 2)
"""The program as C sees it (`ops.engines.simd.program.step_loop.ARGUMENTS`). ctypes releases the GIL while it runs."""


def machine_code(network: Network, step_config: StepConfig, cache: ObjectCache) -> bytes:
    """The object file of the network's program: out of the cache, or compiled and put there."""
    key = cache_key(network, step_config)
    code = cache.get(key) if key else None
    if code is None:
        code = target_machine().emit_object(compile_program(Plan(network, step_config)))
        if key:
            cache.put(key, code)
    return code


class LoadedProgram:
    """Machine code in memory. `call` (see `PROTOTYPE`) may be used by several threads at once."""

    def __init__(self, code: bytes) -> None:
        self._module = llvm.parse_assembly("")
        self._engine = llvm.create_mcjit_compiler(self._module, target_machine())
        self._engine.add_object_file(llvm.ObjectFileRef.from_data(code))
        self._engine.finalize_object()
        self.call: Callable[..., None] = PROTOTYPE(self._engine.get_function_address(ENTRY))
