"""Kernels compiled one by one, for those who measure them or look at their instructions."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence

import llvmlite.binding as llvm
from llvmlite import ir

from ops.engines.simd.codegen.code import ARGUMENTS, LONG
from ops.engines.simd.codegen.kernel import Kernel
from ops.engines.simd.program.compiler import optimised, target_machine
from ops.engines.simd.program.memory import Memory

PROTOTYPE = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * 3, ctypes.c_int64, ctypes.c_int64)


class SingleKernels:
    """Some kernels compiled without the step loop."""

    def __init__(self, kernels: Sequence[Kernel]) -> None:
        module = ir.Module()
        for kernel in kernels:
            _repeated(module, kernel)
        machine = target_machine()
        parsed = optimised(module, machine)
        self.assembly = machine.emit_assembly(parsed)
        self._engine = llvm.create_mcjit_compiler(parsed, machine)
        self._engine.finalize_object()
        self._functions = {
            kernel.name: PROTOTYPE(self._engine.get_function_address(_entry(kernel))) for kernel in kernels
        }

    def call(self, kernel: Kernel, memory: Memory, *, slot: int = 0, times: int = 1) -> None:
        """Run a kernel some times in a row. slot: the block's index in its panel, or how many blocks the panel has."""
        self._functions[kernel.name](*memory.addresses, slot, times)

    def instructions(self, kernel: Kernel) -> list[str]:
        """A kernel's machine instructions, one a line, in assembly language."""
        lines = iter(self.assembly.splitlines())
        for line in lines:
            if line.split("#")[0].strip() in (f"{kernel.name}:", f'"{kernel.name}":'):
                break
        found = []
        for line in lines:
            if line.startswith(".Lfunc_end"):
                break
            if line.startswith("\t") and not line.startswith("\t."):
                found.append(line.strip())
        return found


def _repeated(module: ir.Module, kernel: Kernel) -> None:
    """A function that calls the kernel as often as its last argument says."""
    inner = kernel.function(module)
    function = ir.Function(module, ir.FunctionType(ir.VoidType(), (*ARGUMENTS, LONG)), _entry(kernel))
    *arguments, times = function.args
    builder = ir.IRBuilder(function.append_basic_block())
    start, loop, done = builder.block, function.append_basic_block(), function.append_basic_block()
    builder.branch(loop)
    builder.position_at_end(loop)
    count = builder.phi(LONG)
    builder.call(inner, arguments)
    following = builder.add(count, ir.Constant(LONG, 1))
    count.add_incoming(ir.Constant(LONG, 0), start)
    count.add_incoming(following, loop)
    builder.cbranch(builder.icmp_signed("<", following, times), loop, done)
    builder.position_at_end(done)
    builder.ret_void()


def _entry(kernel: Kernel) -> str:
    return f"repeat {kernel.name}"
