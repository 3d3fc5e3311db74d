"""The inner loop of convolution and dense layers: a tile of accumulators that stay in registers."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from llvmlite import ir

from ops.engines.simd.codegen.code import Accumulator, Code, Vec
from ops.engines.simd.cpu import cpu

Term = tuple[int, int, int]
"""`(accumulator, first factor, second factor)`: an index, and two offsets in floats from a base."""

Load = Callable[[int, ir.Value], Vec]


def add_products(
    sums: list[Accumulator], terms: Iterable[Term], first: tuple[Load, ir.Value], second: tuple[Load, ir.Value]
) -> None:
    """For each term, in their order: sum += first factor * second factor. Each factor is loaded once.

    Args:
        sums: The accumulators.
        terms: What is added to which of them.
        first: How first factors are loaded (`Code.load` or `Code.broadcast`), and the base of their offsets.
        second: The same for second factors.
    """
    lefts: dict[int, Vec] = {}
    rights: dict[int, Vec] = {}
    for which, left, right in terms:
        if left not in lefts:
            lefts[left] = first[0](left, first[1])
        if right not in rights:
            rights[right] = second[0](right, second[1])
        total = sums[which]
        total.set(lefts[left].fma(rights[right], total.get()))


def zero_accumulators(code: Code, count: int) -> list[Accumulator]:
    """So many accumulators that hold zero."""
    sums = [Accumulator(code) for _ in range(count)]
    for total in sums:
        total.set(code.constant(0))
    return sums


def tile_shape(lefts: int, rights: int) -> tuple[int, int]:
    """The register tile for `lefts` times `rights` sums: how many left and right factors it takes.

    The model: a processor does two products and two loads a cycle, and a sum takes its next product four cycles after
    the last. The tile that covers everything in the fewest cycles wins. Of several, the one whose sums take closest
    to five eighths of the registers wins (measured: a few per cent).
    """
    wanted = cpu().registers * 5 // 8
    return min(
        (
            (left, right)
            for left in range(1, min(lefts, 14) + 1)
            for right in range(1, min(rights, 24) + 1)
            if left * right <= cpu().accumulators
        ),
        key=lambda tile: (_cycles(lefts, rights, *tile), abs(tile[0] * tile[1] - wanted)),
    )


def split(total: int, size: int) -> list[tuple[int, int, int]]:
    """`total` in tiles of `size`: `(start, count, size)` for the full tiles and for the remainder, if any."""
    full, rest = divmod(total, size)
    found = [(0, full, size)] if full else []
    return [*found, (full * size, 1, rest)] if rest else found


def _cycles(lefts: int, rights: int, left: int, right: int) -> float:
    cycles = 0.0
    for _, across, i in split(lefts, left):
        for _, down, j in split(rights, right):
            cycles += across * down * max(i * j / 2, (i + j) / 2, 4.0)
    return cycles
