"""Denormal numbers, below 1.2e-38, taken as zero while steps run.

Processors take some hundred cycles for each product with such a number. A network whose sigmoids have
saturated makes them by the million: measured, it trained 60 times slower.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from llvmlite import ir

from ops.engines.simd.codegen.scalars import BYTE, WORD, Scalars
from ops.engines.simd.cpu import cpu

FLUSH = 0x8040
"""The bits of x86's MXCSR that flush results and operands to zero."""


@contextmanager
def flushed(code: Scalars) -> Iterator[None]:
    """Instructions that run with denormals switched off, and as they were behind them. On an x86 only."""
    if not cpu().x86:
        yield
        return
    builder = code.builder
    before, flushing = code.variable(WORD), code.variable(WORD)
    _move(code, "llvm.x86.sse.stmxcsr", before)
    builder.store(builder.or_(builder.load(before), ir.Constant(WORD, FLUSH)), flushing)
    _move(code, "llvm.x86.sse.ldmxcsr", flushing)
    yield
    _move(code, "llvm.x86.sse.ldmxcsr", before)


def _move(code: Scalars, name: str, word: ir.Value) -> None:
    """One of the two instructions between the processor's state and a word in memory."""
    pointer = ir.PointerType(BYTE)
    function = code.module.globals.get(name) or ir.Function(
        code.module, ir.FunctionType(ir.VoidType(), [pointer]), name
    )
    code.builder.call(function, [code.builder.bitcast(word, pointer)])
