"""Writing kernels: loops and arithmetic on vectors that hold one number of each example of a block.

A kernel is written once for one example, in Python that runs while the kernel is being built: a Python
`for` is unrolled, `with code.loop(...)` is a loop of the kernel. What is written are instructions on whole
vectors (LLVM's intermediate form), so nothing depends on whether a compiler finds out what can be vectorised.
Float additions happen in the order in which they are written; nothing is reassociated.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from llvmlite import ir

from ops.engines.simd.host import host

FLOAT, WORD, LONG, BYTE, BIT = ir.FloatType(), ir.IntType(32), ir.IntType(64), ir.IntType(8), ir.IntType(1)
ARGUMENTS = (
    ir.PointerType(FLOAT),  # memory: parameters, activations, gradients, at offsets fixed by the layout
    ir.PointerType(WORD),  # draws: numbers of examples, labels, flips, shifts, seed and epoch
    ir.PointerType(BYTE),  # pixels of a block, one example after another
    LONG,  # the block's place among those whose dense gradients are taken together
)

Number = int | ir.Value


@dataclass(frozen=True)
class Index:
    """A whole number known when the kernel runs."""

    code: Code
    value: ir.Value

    def __add__(self, other: Index | int) -> Index:
        if isinstance(other, int) and other == 0:
            return self
        return Index(self.code, self.code.builder.add(self.value, self.code.long(other)))

    __radd__ = __add__

    def __mul__(self, other: Index | int) -> Index:
        if isinstance(other, int) and other == 1:
            return self
        return Index(self.code, self.code.builder.mul(self.value, self.code.long(other)))

    __rmul__ = __mul__


Place = Index | int


@dataclass(frozen=True)
class Vec:
    """One float of each example of a block."""

    code: Code
    value: ir.Value

    def __add__(self, other: Vec) -> Vec:
        return Vec(self.code, self.code.builder.fadd(self.value, other.value))

    def __sub__(self, other: Vec) -> Vec:
        return Vec(self.code, self.code.builder.fsub(self.value, other.value))

    def __mul__(self, other: Vec) -> Vec:
        return Vec(self.code, self.code.builder.fmul(self.value, other.value))

    def __truediv__(self, other: Vec) -> Vec:
        return Vec(self.code, self.code.builder.fdiv(self.value, other.value))

    def __neg__(self) -> Vec:
        return Vec(self.code, self.code.builder.fneg(self.value))

    def fma(self, factor: Vec, addend: Vec) -> Vec:
        """self * factor + addend, rounded once."""
        return self.code.call("fma", self, factor, addend)

    def compare(self, how: str, other: Vec) -> ir.Value:
        """A mask: where `self how other` holds and neither is NaN."""
        return self.code.builder.fcmp_ordered(how, self.value, other.value)


class Sum:
    """A running sum; LLVM keeps it in a register."""

    def __init__(self, code: Code) -> None:
        self._code = code
        with code.builder.goto_entry_block():
            self._slot = code.builder.alloca(code.vector)

    def set(self, value: Vec) -> None:
        self._code.builder.store(value.value, self._slot)

    def get(self) -> Vec:
        return Vec(self._code, self._code.builder.load(self._slot))


class Code:
    """One kernel in the making: a function of `ARGUMENTS` in an LLVM module."""

    def __init__(self, module: ir.Module, name: str, lanes: int = 0) -> None:
        self.lanes = lanes or host().lanes
        self.vector = ir.VectorType(FLOAT, self.lanes)
        self.function = ir.Function(module, ir.FunctionType(ir.VoidType(), ARGUMENTS), name)
        self.function.linkage = "internal"
        for attribute in ("noinline", "nounwind"):
            self.function.attributes.add(attribute)
        self.memory, self.draws, self.pixels, slot = self.function.args
        self.slot = Index(self, slot)
        entry, body = self.function.append_basic_block("entry"), self.function.append_basic_block("body")
        self._module = module
        ir.IRBuilder(entry).branch(body)
        self.builder = ir.IRBuilder(body)

    def finish(self) -> ir.Function:
        """End the kernel."""
        self.builder.ret_void()
        return self.function

    @contextmanager
    def loop(self, start: Place, stop: Place, step: int = 1) -> Iterator[Index]:
        """A loop of the kernel over `range(start, stop, step)`."""
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

    def long(self, value: Place) -> ir.Value:
        return value.value if isinstance(value, Index) else ir.Constant(LONG, value)

    def table(self, numbers: Sequence[int] | Sequence[float]) -> ir.Value:
        """A table of constants, all whole numbers or all float32, for `entry` to read."""
        kind = LONG if all(isinstance(number, int) for number in numbers) else FLOAT
        values = [number if isinstance(number, int) else float(np.float32(number)) for number in numbers]
        array = ir.ArrayType(kind, len(values))
        table = ir.GlobalVariable(self._module, array, self._module.get_unique_name(f"{self.function.name}.table"))
        table.linkage, table.global_constant, table.initializer = "internal", True, ir.Constant(array, values)
        return table

    def entry(self, table: ir.Value, place: Place) -> ir.Value:
        """A number of a table."""
        return self.builder.load(self.builder.gep(table, [ir.Constant(LONG, 0), self.long(place)], inbounds=True))

    def at(self, place: Place) -> ir.Value:
        """The address of a float of the memory."""
        return self.builder.gep(self.memory, [self.long(place)])

    def load(self, place: Place, base: ir.Value | None = None, *, whole: bool = True) -> Vec:
        """The vector at a place of the memory (counted in floats), or so far beyond the address `base`.

        whole: whether the place is a multiple of the vector's width.
        """
        return Vec(self, self.builder.load(self._vector_at(place, base), align=4 * self.lanes if whole else 4))

    def store(self, value: Vec, place: Place, base: ir.Value | None = None, *, whole: bool = True) -> None:
        self.builder.store(value.value, self._vector_at(place, base), align=4 * self.lanes if whole else 4)

    def spread(self, place: Place, base: ir.Value | None = None) -> Vec:
        """One float of the memory, the same for all examples."""
        address = self.builder.gep(self.memory if base is None else base, [self.long(place)])
        return self.splat(self.builder.load(address))

    def splat(self, scalar: ir.Value) -> Vec:
        lanes = scalar.type if isinstance(scalar.type, ir.VectorType) else ir.VectorType(scalar.type, self.lanes)
        one = self.builder.insert_element(ir.Constant(lanes, ir.Undefined), scalar, ir.Constant(WORD, 0))
        none = ir.Constant(ir.VectorType(WORD, self.lanes), None)
        return Vec(self, self.builder.shuffle_vector(one, ir.Constant(lanes, ir.Undefined), none))

    def constant(self, number: float) -> Vec:
        """The same float32 for all examples."""
        return Vec(self, ir.Constant(self.vector, [float(np.float32(number))] * self.lanes))

    def words(self, number: int) -> ir.Value:
        """The same 32-bit whole number for all examples."""
        return ir.Constant(ir.VectorType(WORD, self.lanes), [number] * self.lanes)

    def select(self, mask: ir.Value, yes: Vec, no: Vec) -> Vec:
        return Vec(self, self.builder.select(mask, yes.value, no.value))

    def call(self, name: str, *arguments: Vec) -> Vec:
        """One of LLVM's own functions on whole vectors: `fma`, `fabs`, …"""
        full = f"llvm.{name}.v{self.lanes}f32"
        kind = ir.FunctionType(self.vector, [self.vector] * len(arguments))
        function = self._module.globals.get(full) or ir.Function(self._module, kind, full)
        return Vec(self, self.builder.call(function, [argument.value for argument in arguments]))

    def draw_row(self, row: int) -> ir.Value:
        """The address of one vector of the draws."""
        address = self.builder.gep(self.draws, [self.long(row * self.lanes)])
        return self.builder.bitcast(address, ir.PointerType(ir.VectorType(WORD, self.lanes)))

    def transpose(self, rows: list[ir.Value]) -> list[ir.Value]:
        """As many vectors as each has numbers, transposed: a perfect shuffle, repeated."""
        lanes = len(rows)
        kind = ir.VectorType(WORD, lanes)
        low = ir.Constant(kind, [n // 2 + lanes * (n % 2) for n in range(lanes)])
        high = ir.Constant(kind, [(n + lanes) // 2 + lanes * (n % 2) for n in range(lanes)])
        for _ in range(lanes.bit_length() - 1):
            pairs = [(rows[n], rows[n + lanes // 2]) for n in range(lanes // 2)]
            rows = [self.builder.shuffle_vector(a, b, mask) for a, b in pairs for mask in (low, high)]
        return rows

    def _vector_at(self, place: Place, base: ir.Value | None) -> ir.Value:
        address = self.builder.gep(self.memory if base is None else base, [self.long(place)])
        return self.builder.bitcast(address, ir.PointerType(self.vector))


class Groups:
    """A table of groups of pairs, in which a kernel looks up what to do for one row or another."""

    def __init__(self, code: Code, groups: Sequence[Sequence[tuple[int, int]]]) -> None:
        self._code = code
        bounds = [0]
        for group in groups:
            bounds.append(bounds[-1] + len(group))
        self._bounds = code.table(bounds)
        self._pairs = code.table([number for group in groups for pair in group for number in pair] or [0])

    @contextmanager
    def pairs(self, group: Place) -> Iterator[tuple[Index, Index]]:
        """A loop of the kernel over the pairs of a group."""
        code = self._code
        following = group + 1
        start, stop = (Index(code, code.entry(self._bounds, place)) for place in (group, following))
        with code.loop(start, stop) as pair:
            yield Index(code, code.entry(self._pairs, pair * 2)), Index(code, code.entry(self._pairs, pair * 2 + 1))
