"""A kernel before it is written: its name, and what will write it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from llvmlite import ir

from ops.engines.simd.code import Code


@dataclass(frozen=True)
class Kernel:
    """One kernel: what it is called, how its code is written, and how many products and sums it takes an example.

    lanes: numbers in its vectors; 0 stands for as many as the processor's have.
    """

    name: str
    write: Callable[[Code], None]
    flops: int = 0
    lanes: int = 0

    def function(self, module: ir.Module) -> ir.Function:
        """The kernel in an LLVM module, written there if it isn't yet."""
        if self.name in module.globals:
            return module.globals[self.name]
        code = Code(module, self.name, self.lanes)
        self.write(code)
        return code.finish()
