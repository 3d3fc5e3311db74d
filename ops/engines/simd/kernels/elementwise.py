"""Kernels that do the same to each number by itself."""

from __future__ import annotations

from collections.abc import Callable

from ops.engines.simd.codegen.code import Code, Vec


def map_elements(code: Code, function: Callable[[Code, Vec], Vec], vectors: int, x: int, y: int) -> None:
    """y = f(x) for so many vectors."""
    with code.loop(0, vectors) as n:
        code.store(function(code, code.load(n * code.lanes + x)), n * code.lanes + y)


def identity(code: Code, x: Vec) -> Vec:
    """x."""
    return x
