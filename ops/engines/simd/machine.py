"""From a plan to machine code, and from machine code to a function that Python can call."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from functools import cache
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path

import llvmlite.binding as llvm

from ops.engines.simd.host import host
from ops.engines.simd.plan import Plan
from ops.engines.simd.store import Store
from ops.network import Network
from ops.step_config import StepConfig

ENTRY = "atelier_round"
"""The name under which the round's function lies in its object file."""

KNOWN_OUTSIDE = {"log", "memset", "memcpy"}
"""Functions of the C library that the round may call; they are there in every Python process."""

PROTOTYPE = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * 8, ctypes.c_int64, ctypes.c_int64, *[ctypes.c_void_p] * 2)
"""The round as C sees it; see `ops.engines.simd.driver.SIGNATURE`. ctypes releases the GIL while it runs."""


def machine_code(network: Network, step_config: StepConfig, store: Store) -> bytes:
    """The object file of the network's round: out of the store, or compiled and put there."""
    key = sha256(repr((_origin(), host(), network, step_config)).encode()).hexdigest()
    code = store.get(key)
    if code is None:
        code = target_machine().emit_object(compile_round(Plan(network, step_config)))
        store.put(key, code)
    return code


def compile_round(plan: Plan) -> llvm.ModuleRef:
    """The round as an LLVM module, optimised; its function is called `ENTRY`. This alone needs Numba."""
    from numba import cfunc

    from ops.engines.simd.driver import SIGNATURE, program

    compiled = cfunc(SIGNATURE, error_model="numpy")(program(plan))
    module = llvm.parse_assembly(compiled.inspect_llvm())
    module.get_function(compiled.native_name).name = ENTRY
    _strip(module)
    return module


def _strip(module: llvm.ModuleRef) -> None:
    """Leave only what the round needs, so that it can be loaded where Numba isn't.

    Numba adds what would raise its exceptions. Nothing here raises any, which the optimiser finds out
    once it may take for granted that nobody else calls the round's parts.
    """
    for value in (*module.functions, *module.global_variables):
        if not value.is_declaration and value.name != ENTRY:
            value.linkage = llvm.Linkage.internal
    machine = target_machine()
    builder = llvm.create_pass_builder(machine, llvm.create_pipeline_tuning_options())
    passes = llvm.create_new_module_pass_manager()
    for add in (
        passes.add_ipsccp_pass,
        passes.add_simplify_cfg_pass,
        passes.add_global_dead_code_eliminate_pass,
        passes.add_strip_dead_prototype_pass,
    ):
        add()
    passes.run(module, builder)
    outside = {f.name for f in module.functions if f.is_declaration and not f.name.startswith("llvm.")}
    assert outside <= KNOWN_OUTSIDE, f"the round calls {sorted(outside - KNOWN_OUTSIDE)}, which only Numba has"


def target_machine() -> llvm.TargetMachine:
    """Code for this very processor. Whole vectors are named in the code, so no option has to ask for them."""
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    target = llvm.Target.from_default_triple()
    return target.create_target_machine(
        cpu=host().name, features=host().features, opt=3, codemodel="jitdefault", jit=True
    )


class Loaded:
    """Machine code in memory. `call` (see `PROTOTYPE`) may be used by several threads at once."""

    def __init__(self, code: bytes) -> None:
        self._module = llvm.parse_assembly("")
        self._engine = llvm.create_mcjit_compiler(self._module, target_machine())
        self._engine.add_object_file(llvm.ObjectFileRef.from_data(code))
        self._engine.finalize_object()
        self.call: Callable[..., None] = PROTOTYPE(self._engine.get_function_address(ENTRY))


@cache
def _origin() -> str:
    """What the machine code is made by: this package's own sources and the compilers' versions."""
    digest = sha256()
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(path.read_bytes())
    return f"{digest.hexdigest()} {version('numba')} {version('llvmlite')}"
