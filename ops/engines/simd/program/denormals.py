"""Denormal numbers, below 1.2e-38, taken as zero while steps run.

Processors take some hundred cycles for each product with such a number. A network whose sigmoids have
saturated makes them by the million: measured, it trained 60 times slower.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from ops.engines.simd.codegen.code import BYTE, WORD
from ops.engines.simd.cpu import cpu

FLUSH = 0x8040
"""The bits of x86's MXCSR that flush results and operands to zero."""


@intrinsic
def flush(typingctx: Any) -> Any:
    """Switch denormals off; returns the processor's state for `restore`. Does nothing unless it is an x86."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        if not cpu().x86:
            return ir.Constant(WORD, 0)
        slot = builder.alloca(WORD)
        _move(builder, "llvm.x86.sse.stmxcsr", slot)
        before = builder.load(slot)
        builder.store(builder.or_(before, ir.Constant(WORD, FLUSH)), slot)
        _move(builder, "llvm.x86.sse.ldmxcsr", slot)
        return before

    return types.int32(), codegen


@intrinsic
def restore(typingctx: Any, state: Any) -> Any:
    """Switch back to the state before `flush`."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        if cpu().x86:
            slot = builder.alloca(WORD)
            builder.store(arguments[0], slot)
            _move(builder, "llvm.x86.sse.ldmxcsr", slot)
        return context.get_dummy_value()

    return types.void(types.int32), codegen


def _move(builder: Any, name: str, slot: ir.Value) -> None:
    """Call one of the two instructions on the address of a word."""
    pointer = ir.PointerType(BYTE)
    function = builder.module.globals.get(name) or ir.Function(
        builder.module, ir.FunctionType(ir.VoidType(), [pointer]), name
    )
    builder.call(function, [builder.bitcast(slot, pointer)])
