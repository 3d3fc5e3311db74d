"""The heart of convolution and dense layers: a tile of sums that stays in registers while products are added."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from llvmlite import ir

from ops.engines.simd.code import Code, Sum, Vec
from ops.engines.simd.host import host

Term = tuple[int, int, int]
"""`(which sum, where its first factor is, where its second factor is)`, places in floats beyond a base."""

Load = Callable[[int, ir.Value], Vec]


def add_products(
    sums: list[Sum], terms: Iterable[Term], first: tuple[Load, ir.Value], second: tuple[Load, ir.Value]
) -> None:
    """For each term: sum += first factor * second factor, each factor loaded once, in the order of the terms.

    first, second: how the factors are loaded (`Code.load` or `Code.spread`), and the base of their places.
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


def new_sums(code: Code, count: int) -> list[Sum]:
    """Sums that begin as zero."""
    sums = [Sum(code) for _ in range(count)]
    for total in sums:
        total.set(code.constant(0))
    return sums


def tile_shape(lefts: int, rights: int) -> tuple[int, int]:
    """How many left and right factors a tile should take, of so many there are in all.

    Two products a cycle and two loads a cycle is what processors offer, and a sum can take its next
    product four cycles after the last. The tiles that cover everything in the fewest cycles win;
    of several those whose sums take some five eighths of the registers (measured: a few per cent).
    """
    wanted = host().registers * 5 // 8
    return min(
        (
            (left, right)
            for left in range(1, min(lefts, 14) + 1)
            for right in range(1, min(rights, 24) + 1)
            if left * right <= host().sums
        ),
        key=lambda tile: (_cycles(lefts, rights, *tile), abs(tile[0] * tile[1] - wanted)),
    )


def parts(total: int, size: int) -> list[tuple[int, int, int]]:
    """`total` things in parts of `size`: `(start, count, size)` for the full ones and for the rest, if any."""
    full, rest = divmod(total, size)
    found = [(0, full, size)] if full else []
    return [*found, (full * size, 1, rest)] if rest else found


def _cycles(lefts: int, rights: int, left: int, right: int) -> float:
    cycles = 0.0
    for _, across, i in parts(lefts, left):
        for _, down, j in parts(rights, right):
            cycles += across * down * max(i * j / 2, (i + j) / 2, 4.0)
    return cycles
