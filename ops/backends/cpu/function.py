"""Kernels of pointers and one count: written, compiled for this processor and loaded as functions for Python."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from functools import cache
from hashlib import sha256
from importlib.metadata import version
from typing import Any

import llvmlite.binding as llvm
from llvmlite import ir

from ops.engines.object_cache import object_cache
from ops.engines.simd.cache_key import PACKAGE, package_digest
from ops.engines.simd.codegen.code import Vectors
from ops.engines.simd.codegen.scalars import FLOAT, LONG, Index
from ops.engines.simd.cpu import cpu
from ops.engines.simd.program.compiler import target_machine

ENTRY = "atelier_operator"

Writer = Callable[["PointerCode"], None]


class PointerCode(Vectors):
    """A kernel of so many pointers to floats, none of which overlap, and so many integers.

    Attributes:
        pointers: the pointers, to be given as `base` to loads and stores.
        numbers: the integers.
    """

    def __init__(self, module: ir.Module, pointers: int, numbers: int) -> None:
        super().__init__(module, ENTRY, [ir.PointerType(FLOAT)] * pointers + [LONG] * numbers)
        self.pointers, given = self.function.args[:pointers], self.function.args[pointers:]
        for pointer in self.pointers:
            pointer.add_attribute("noalias")
        self.numbers = [Index(self, number) for number in given]

    def at(self, pointer: ir.Value, offset: Index | int) -> ir.Value:
        """The address so many floats behind a pointer."""
        return self.builder.gep(pointer, [self.long(offset)])

    def hidden(self, address: ir.Value) -> ir.Value:
        """The address, in a way that LLVM can't see through: it loads anew what it could have kept in a register."""
        kind = ir.FunctionType(address.type, [address.type])
        return self.builder.asm(kind, "", "=r,0", [address], side_effect=False)

    def smaller(self, left: Index, right: int) -> Index:
        """The smaller of two integers."""
        right_value = self.long(right)
        less = self.builder.icmp_signed("<", left.value, right_value)
        return Index(self, self.builder.select(less, left.value, right_value))


@cache
def function(write: Callable[..., None], pointers: int, numbers: int, *parameters: Any) -> Callable[..., None]:
    """A kernel as a function of addresses and integers, which runs without the GIL.

    Args:
        write: Writes its instructions, given a `PointerCode` and the parameters.
        pointers: How many pointers to floats it takes.
        numbers: How many integers it takes after them.
        parameters: What it is written for.
    """
    key = sha256(
        repr((package_digest(PACKAGE), version("llvmlite"), cpu(), write.__qualname__, parameters)).encode()
    ).hexdigest()
    stored = object_cache("array")
    code = stored.get(key)
    if code is None:
        code = _compile(write, pointers, numbers, parameters)
        stored.put(key, code)
    engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), target_machine())
    engine.add_object_file(llvm.ObjectFileRef.from_data(code))
    engine.finalize_object()
    _LOADED.append(engine)
    prototype = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * pointers, *[ctypes.c_int64] * numbers)
    return prototype(engine.get_function_address(ENTRY))


_LOADED: list[Any] = []
"""What holds the machine code of functions, which live as long as the process."""


def _compile(write: Callable[..., None], pointers: int, numbers: int, parameters: tuple[Any, ...]) -> bytes:
    module = ir.Module()
    code = PointerCode(module, pointers, numbers)
    write(code, *parameters)
    code.finish()
    parsed = llvm.parse_assembly(str(module))
    machine = target_machine()
    builder = llvm.create_pass_builder(machine, llvm.create_pipeline_tuning_options(speed_level=3))
    builder.getModulePassManager().run(parsed, builder)
    return machine.emit_object(parsed)
