"""A kernel before its code is generated: a name, and the function that writes it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from llvmlite import ir

from ops.engines.simd.codegen.code import Code


@dataclass(frozen=True)
class Kernel:
    """One kernel.

    Attributes:
        name: What it is called, such as `conv2d1.forward`.
        write: Writes its instructions.
        flops: Useful floating-point operations an example.
        lanes: Numbers in its vectors; 0 for as many as the processor's registers hold.
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
