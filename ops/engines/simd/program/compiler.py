"""From a plan to optimised code for this processor."""

from __future__ import annotations

import llvmlite.binding as llvm

from ops.engines.simd.cpu import cpu
from ops.engines.simd.program.plan import Plan

ENTRY = "atelier_round"
"""The name of the program's function in its object file."""

C_LIBRARY = {"log", "memset", "memcpy"}
"""Functions of the C library that the program may call; they are there in every Python process."""


def compile_program(plan: Plan) -> llvm.ModuleRef:
    """The program as an optimised LLVM module, whose function is called `ENTRY`. This alone needs Numba."""
    from numba import cfunc

    from ops.engines.simd.program.step_loop import SIGNATURE, step_loop

    compiled = cfunc(SIGNATURE, error_model="numpy")(step_loop(plan))
    module = llvm.parse_assembly(compiled.inspect_llvm())
    module.get_function(compiled.native_name).name = ENTRY
    _strip(module)
    return module


def _strip(module: llvm.ModuleRef) -> None:
    """Leave only what the program needs, so that it can be loaded where Numba isn't.

    Numba adds functions that raise its exceptions. Nothing here raises any, which the optimiser finds out once the
    program's parts are marked as internal.
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
    external = {f.name for f in module.functions if f.is_declaration and not f.name.startswith("llvm.")}
    assert external <= C_LIBRARY, f"the program calls {sorted(external - C_LIBRARY)}, which only Numba has"


def target_machine() -> llvm.TargetMachine:
    """Code for this very processor. Whole vectors are named in the code, so no option has to ask for them."""
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    target = llvm.Target.from_default_triple()
    return target.create_target_machine(
        cpu=cpu().name, features=cpu().features, opt=3, codemodel="jitdefault", jit=True
    )
