"""From a plan to optimised code for this processor."""

from __future__ import annotations

import llvmlite.binding as llvm
from llvmlite import ir

from ops.engines.simd.cpu import cpu
from ops.engines.simd.program.plan import Plan
from ops.engines.simd.program.step_loop import StepLoop

ENTRY = "atelier_round"
"""The name of the program's function in its object file."""

C_LIBRARY = {"log", "memset", "memcpy"}
"""Functions of the C library that the program may call; they are there in every Python process."""


def compile_program(plan: Plan) -> llvm.ModuleRef:
    """The program as an optimised LLVM module, whose function is called `ENTRY`."""
    module = ir.Module()
    StepLoop(module, ENTRY, plan).write_steps()
    compiled = optimised(module, target_machine())
    external = {f.name for f in compiled.functions if f.is_declaration and not f.name.startswith("llvm.")}
    assert external <= C_LIBRARY, f"the program calls {sorted(external - C_LIBRARY)}, which not every process has"
    return compiled


def optimised(module: ir.Module, machine: llvm.TargetMachine) -> llvm.ModuleRef:
    """A module as LLVM's optimiser leaves it."""
    module.triple, module.data_layout = machine.triple, str(machine.target_data)
    parsed = llvm.parse_assembly(str(module))
    options = llvm.create_pipeline_tuning_options(speed_level=3)
    options.loop_vectorization = True
    builder = llvm.create_pass_builder(machine, options)
    builder.getModulePassManager().run(parsed, builder)
    return parsed


def target_machine() -> llvm.TargetMachine:
    """Code for this very processor. Whole vectors are named in the code, so no option has to ask for them."""
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    target = llvm.Target.from_default_triple()
    return target.create_target_machine(
        cpu=cpu().name, features=cpu().features, opt=3, codemodel="jitdefault", jit=True
    )
