"""Kernels written in LLVM's intermediate representation: loops and arithmetic on vectors.

A vector holds one number of each example of a block. A kernel is written as if for one example, by Python code that
runs while the kernel is generated: a Python `for` is unrolled, `with code.loop(...)` becomes a loop of the kernel.
The instructions work on whole vectors, so nothing depends on a compiler's vectoriser.
Float additions happen in the order in which they are written; nothing is reassociated.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from llvmlite import ir

from ops.engines.simd.codegen.scalars import BYTE, FLOAT, LONG, WORD, Index, Offset, Scalars
from ops.engines.simd.cpu import cpu

ARGUMENTS = (
    ir.PointerType(FLOAT),  # memory: parameters, activations, gradients, at offsets fixed by the layout
    ir.PointerType(WORD),  # lane data: see `ops.engines.simd.codegen.lane_data`
    ir.PointerType(BYTE),  # pixels of a block, one example after another
    LONG,  # the block's index in its panel
)

Number = int | ir.Value


@dataclass(frozen=True)
class Vec:
    """One float of each example of a block."""

    code: Vectors
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
        """A mask: where `self how other` holds and neither number is NaN."""
        return self.code.builder.fcmp_ordered(how, self.value, other.value)


class Accumulator:
    """A vector that changes while the kernel runs, such as a running sum; LLVM keeps it in a register."""

    def __init__(self, code: Vectors) -> None:
        self._code = code
        with code.builder.goto_entry_block():
            self._slot = code.builder.alloca(code.vector)

    def set(self, value: Vec) -> None:
        self._code.builder.store(value.value, self._slot)

    def get(self) -> Vec:
        return Vec(self._code, self._code.builder.load(self._slot))


class Vectors(Scalars):
    """A function on vectors of numbers while it is being written.

    Args:
        module: Where the function goes.
        name: The function's name.
        arguments: The types of its arguments.
        lanes: Numbers in a vector; 0 for as many as the processor's registers hold.

    Attributes:
        memory: The address that offsets count from where no other is given; the first argument.
    """

    def __init__(self, module: ir.Module, name: str, arguments: Sequence[ir.Type], lanes: int = 0) -> None:
        super().__init__(module, name, arguments)
        self.lanes = lanes or cpu().lanes
        self.vector = ir.VectorType(FLOAT, self.lanes)
        self.memory: ir.Value = self.function.args[0]

    def table(self, numbers: Sequence[int] | Sequence[float]) -> ir.Value:
        """A table of constants, all integers or all float32, for `table_entry` to read."""
        kind = LONG if all(isinstance(number, int) for number in numbers) else FLOAT
        values = [number if isinstance(number, int) else float(np.float32(number)) for number in numbers]
        array = ir.ArrayType(kind, len(values))
        table = ir.GlobalVariable(self.module, array, self.module.get_unique_name(f"{self.function.name}.table"))
        table.linkage, table.global_constant, table.initializer = "internal", True, ir.Constant(array, values)
        return table

    def table_entry(self, table: ir.Value, offset: Offset) -> ir.Value:
        """A number of a table."""
        return self.builder.load(self.builder.gep(table, [ir.Constant(LONG, 0), self.long(offset)], inbounds=True))

    def address(self, offset: Offset) -> ir.Value:
        """The address of a float of the memory."""
        return self.builder.gep(self.memory, [self.long(offset)])

    def load(self, offset: Offset, base: ir.Value | None = None, *, aligned: bool = True) -> Vec:
        """The vector at an offset in the memory, or at an offset from the address `base`.

        aligned: whether the offset is a multiple of the vector's width.
        """
        return Vec(self, self.builder.load(self._vector_at(offset, base), align=4 * self.lanes if aligned else 4))

    def store(self, value: Vec, offset: Offset, base: ir.Value | None = None, *, aligned: bool = True) -> None:
        self.builder.store(value.value, self._vector_at(offset, base), align=4 * self.lanes if aligned else 4)

    def broadcast(self, offset: Offset, base: ir.Value | None = None) -> Vec:
        """One float of the memory, the same for all examples."""
        address = self.builder.gep(self.memory if base is None else base, [self.long(offset)])
        return self.splat(self.builder.load(address))

    def splat(self, scalar: ir.Value) -> Vec:
        lanes = scalar.type if isinstance(scalar.type, ir.VectorType) else ir.VectorType(scalar.type, self.lanes)
        one = self.builder.insert_element(ir.Constant(lanes, ir.Undefined), scalar, ir.Constant(WORD, 0))
        none = ir.Constant(ir.VectorType(WORD, self.lanes), None)
        return Vec(self, self.builder.shuffle_vector(one, ir.Constant(lanes, ir.Undefined), none))

    def constant(self, number: float) -> Vec:
        """The same float32 for all examples."""
        return Vec(self, ir.Constant(self.vector, [float(np.float32(number))] * self.lanes))

    def int_constant(self, number: int) -> ir.Value:
        """The same 32-bit integer for all examples."""
        return ir.Constant(ir.VectorType(WORD, self.lanes), [number] * self.lanes)

    def select(self, mask: ir.Value, yes: Vec, no: Vec) -> Vec:
        return Vec(self, self.builder.select(mask, yes.value, no.value))

    def call(self, name: str, *arguments: Vec) -> Vec:
        """One of LLVM's intrinsics on whole vectors: `fma`, `fabs`, …"""
        full = f"llvm.{name}.v{self.lanes}f32"
        kind = ir.FunctionType(self.vector, [self.vector] * len(arguments))
        function = self.module.globals.get(full) or ir.Function(self.module, kind, full)
        return Vec(self, self.builder.call(function, [argument.value for argument in arguments]))

    def transpose(self, rows: list[ir.Value]) -> list[ir.Value]:
        """A square of numbers, `lanes` vectors of `lanes` each, transposed by repeated perfect shuffles."""
        lanes = len(rows)
        kind = ir.VectorType(WORD, lanes)
        low = ir.Constant(kind, [n // 2 + lanes * (n % 2) for n in range(lanes)])
        high = ir.Constant(kind, [(n + lanes) // 2 + lanes * (n % 2) for n in range(lanes)])
        for _ in range(lanes.bit_length() - 1):
            pairs = [(rows[n], rows[n + lanes // 2]) for n in range(lanes // 2)]
            rows = [self.builder.shuffle_vector(a, b, mask) for a, b in pairs for mask in (low, high)]
        return rows

    def _vector_at(self, offset: Offset, base: ir.Value | None) -> ir.Value:
        address = self.builder.gep(self.memory if base is None else base, [self.long(offset)])
        return self.builder.bitcast(address, ir.PointerType(self.vector))


class Code(Vectors):
    """One kernel while it is being written: a function of `ARGUMENTS` in an LLVM module.

    Args:
        module: Where the function goes.
        name: The function's name.
        lanes: Numbers in a vector; 0 for as many as the processor's registers hold.
    """

    def __init__(self, module: ir.Module, name: str, lanes: int = 0) -> None:
        super().__init__(module, name, ARGUMENTS, lanes)
        self.function.linkage = "internal"
        self.function.attributes.add("noinline")
        _, self.lane_data, self.pixels, slot = self.function.args
        self.slot = Index(self, slot)

    def lane_row(self, row: int) -> ir.Value:
        """The address of one row of the lane data."""
        address = self.builder.gep(self.lane_data, [self.long(row * self.lanes)])
        return self.builder.bitcast(address, ir.PointerType(ir.VectorType(WORD, self.lanes)))


class PairTable:
    """A constant table of lists of pairs of integers, which a kernel walks through list by list."""

    def __init__(self, code: Vectors, lists: Sequence[Sequence[tuple[int, int]]]) -> None:
        self._code = code
        bounds = [0]
        for pairs in lists:
            bounds.append(bounds[-1] + len(pairs))
        self._bounds = code.table(bounds)
        self._pairs = code.table([number for pairs in lists for pair in pairs for number in pair] or [0])

    @contextmanager
    def pairs(self, index: Offset) -> Iterator[tuple[Index, Index]]:
        """A loop of the kernel over the pairs of one list."""
        code = self._code
        after = index + 1
        start, stop = (Index(code, code.table_entry(self._bounds, offset)) for offset in (index, after))
        with code.loop(start, stop) as pair:
            yield (
                Index(code, code.table_entry(self._pairs, pair * 2)),
                Index(code, code.table_entry(self._pairs, pair * 2 + 1)),
            )
