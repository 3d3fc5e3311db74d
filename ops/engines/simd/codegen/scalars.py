"""Loops and single numbers of a function that is being written in LLVM's intermediate representation."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from llvmlite import ir

FLOAT, DOUBLE = ir.FloatType(), ir.DoubleType()
WORD, LONG, BYTE, BIT = ir.IntType(32), ir.IntType(64), ir.IntType(8), ir.IntType(1)

CACHE_LINE = 64
"""Bytes that a function's stack is aligned to: a vector that is kept there and crosses a cache line costs cycles."""


@dataclass(frozen=True)
class Index:
    """An integer known when the function runs."""

    code: Scalars
    value: ir.Value

    def __add__(self, other: Offset) -> Index:
        if isinstance(other, int) and other == 0:
            return self
        return Index(self.code, self.code.builder.add(self.value, self.code.long(other)))

    __radd__ = __add__

    def __sub__(self, other: Offset) -> Index:
        return Index(self.code, self.code.builder.sub(self.value, self.code.long(other)))

    def __mul__(self, other: Offset) -> Index:
        if isinstance(other, int) and other == 1:
            return self
        return Index(self.code, self.code.builder.mul(self.value, self.code.long(other)))

    __rmul__ = __mul__

    def compare(self, how: str, other: Offset) -> ir.Value:
        """Whether `self how other` holds, as a bit."""
        return self.code.builder.icmp_signed(how, self.value, self.code.long(other))


Offset = Index | int
"""An offset in the memory, counted in floats."""


class Scalars:
    """A function while it is being written, which returns nothing.

    Args:
        module: Where the function goes.
        name: The function's name.
        arguments: The types of its arguments.
    """

    def __init__(self, module: ir.Module, name: str, arguments: Sequence[ir.Type]) -> None:
        self.module = module
        self.function = ir.Function(module, ir.FunctionType(ir.VoidType(), arguments), name)
        self.function.attributes.add("nounwind")
        self.function.attributes.alignstack = CACHE_LINE
        entry, body = self.function.append_basic_block("entry"), self.function.append_basic_block("body")
        ir.IRBuilder(entry).branch(body)
        self.builder = ir.IRBuilder(body)

    def finish(self) -> ir.Function:
        """End the function."""
        self.builder.ret_void()
        return self.function

    def long(self, value: Offset) -> ir.Value:
        return value.value if isinstance(value, Index) else ir.Constant(LONG, value)

    def variable(self, kind: ir.Type) -> ir.Value:
        """Room for a number that changes while the function runs; LLVM keeps it in a register."""
        with self.builder.goto_entry_block():
            return self.builder.alloca(kind)

    @contextmanager
    def loop(self, start: Offset, stop: Offset, step: int = 1) -> Iterator[Index]:
        """A loop of the function over `range(start, stop, step)`."""
        builder = self.builder
        before = builder.block
        first, last = self.long(start), self.long(stop)
        head, after = builder.append_basic_block("loop"), builder.append_basic_block("done")
        if isinstance(start, int) and isinstance(stop, int) and start < stop:
            builder.branch(head)
        else:
            builder.cbranch(builder.icmp_signed("<", first, last), head, after)
        builder.position_at_end(head)
        index = builder.phi(LONG)
        index.add_incoming(first, before)
        yield Index(self, index)
        following = builder.add(index, self.long(step))
        index.add_incoming(following, builder.block)
        builder.cbranch(builder.icmp_signed("<", following, last), head, after)
        builder.position_at_end(after)

    def read(self, base: ir.Value, offset: Offset) -> ir.Value:
        """The number at an offset from an address, counted in such numbers."""
        return self.builder.load(self.builder.gep(base, [self.long(offset)]))

    def read_index(self, base: ir.Value, offset: Offset) -> Index:
        """The same, for a signed integer that something is counted by."""
        value = self.read(base, offset)
        return Index(self, value if value.type == LONG else self.builder.sext(value, LONG))

    def write(self, value: ir.Value, base: ir.Value, offset: Offset) -> None:
        """Write a number at an offset from an address."""
        self.builder.store(value, self.builder.gep(base, [self.long(offset)]))
