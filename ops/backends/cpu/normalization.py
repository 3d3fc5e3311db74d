"""The passes over memory that normalising channels takes: sums over each plane, and what follows from them.

Planes (n, c, numbers) have at least as many numbers as a vector has lanes. A plane's last vector lies flush with its
end; in sums, what it has in common with the one before counts once.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from llvmlite import ir
from numpy.typing import NDArray

from ops.backends.cpu.function import PointerCode, function
from ops.backends.cpu.memory import empty
from ops.backends.cpu.threads import in_parts
from ops.engines.simd.codegen.code import WORD, Accumulator, Index, Vec
from ops.engines.simd.codegen.scalars import BIT

Floats = NDArray[np.float32]


def sums(planes: Floats) -> Floats:
    """(n, c): the sum over each plane."""
    return _sums(planes, planes, None, None)[0]


def squares(planes: Floats, mean: Floats) -> Floats:
    """(n, c): the sum of (planes - mean)² over each plane; mean: (c,)."""
    return _sums(planes, planes, mean, None)[1]


def gradient_sums(dplanes: Floats, planes: Floats, mean: Floats, scale: Floats) -> tuple[Floats, Floats]:
    """(n, c) twice: the sums of dplanes, and of dplanes * (planes - mean) * scale, over each plane."""
    return _sums(dplanes, planes, mean, scale)


def normalised(planes: Floats, mean: Floats, scale: Floats, bias: Floats) -> Floats:
    """(planes - mean) * scale + bias; the last three are (c,)."""
    return _mapped(_write_normalised, planes, planes, (mean, scale, bias))


def gradient(
    dplanes: Floats, planes: Floats, mean: Floats, scale: Floats, dweight: Floats, dbias: Floats, factor: Floats
) -> Floats:
    """(dplanes - dweight * (planes - mean) * scale - dbias) * factor; all but the planes are (c,)."""
    return _mapped(_write_gradient, dplanes, planes, (mean, scale, dweight, dbias, factor))


def _sums(dplanes: Floats, planes: Floats, mean: Floats | None, scale: Floats | None) -> tuple[Floats, Floats]:
    n, c, size = planes.shape
    found = np.empty((2, n, c), np.float32)
    of_channels = np.zeros((2, c), np.float32)
    if mean is not None:
        of_channels[0] = mean
    if scale is not None:
        of_channels[1] = scale
    run = function(_write_sums, 4, 2, size, mean is not None, scale is not None)
    run(dplanes.ctypes.data, planes.ctypes.data, of_channels.ctypes.data, found.ctypes.data, n, c)
    return found[0], found[1]


def _mapped(write: Callable[..., None], dplanes: Floats, planes: Floats, of_channels: tuple[Floats, ...]) -> Floats:
    n, c, size = planes.shape
    result, constants = empty(planes.shape), np.stack(of_channels)
    run = function(write, 4, 2, size)

    def of_examples(part: slice) -> None:
        arrays = (dplanes[part], planes[part], constants, result[part])
        run(*(array.ctypes.data for array in arrays), part.stop - part.start, c)

    in_parts(n, of_examples)
    return result


def _write_sums(code: PointerCode, size: int, centred: bool, gradients: bool) -> None:
    """Sums of the first array, and, where they are centred, of products of the second."""
    first, second, of_channels, found = code.pointers
    n_count, c_count = code.numbers
    with code.loop(0, n_count) as n, code.loop(0, c_count) as c:
        plane = n * c_count + c
        dy, x = code.at(first, plane * size), code.at(second, plane * size)
        mean, scale = code.broadcast(c, of_channels), code.broadcast(c + c_count, of_channels)
        totals = [Accumulator(code) for _ in range(2)]
        for total in totals:
            total.set(code.constant(0))

        def add(at: Index | int, mask: ir.Value | None) -> None:
            value = code.load(at, dy, aligned=False)
            product = code.load(at, x, aligned=False) - mean
            product = value * (product * scale) if gradients else product * product
            for total, addend in zip(totals, (value, product) if centred else (value,), strict=False):
                if mask is not None:
                    addend = code.select(mask, addend, code.constant(0))
                total.set(total.get() + addend)

        with code.loop(0, size // code.lanes) as vector:
            add(vector * code.lanes, None)
        if size % code.lanes:
            overlap = code.lanes - size % code.lanes
            new = ir.Constant(ir.VectorType(BIT, code.lanes), [int(lane >= overlap) for lane in range(code.lanes)])
            add(size - code.lanes, new)
        for which, total in enumerate(totals):
            place = code.at(found, n_count * c_count * which + plane)
            code.builder.store(_lane_sum(code, total.get()), place)


def _lane_sum(code: PointerCode, value: Vec) -> ir.Value:
    """The sum of a vector's numbers: its halves added, until one number is left."""
    found, lanes = value.value, code.lanes
    while lanes > 1:
        lanes //= 2
        kind = ir.VectorType(WORD, lanes)
        low, high = (ir.Constant(kind, list(range(start, start + lanes))) for start in (0, lanes))
        undefined = ir.Constant(found.type, ir.Undefined)
        halves = [code.builder.shuffle_vector(found, undefined, half) for half in (low, high)]
        found = code.builder.fadd(*halves)
    return code.builder.extract_element(found, ir.Constant(WORD, 0))


def _write_normalised(code: PointerCode, size: int) -> None:
    def value(dy: Vec, x: Vec, of_channel: list[Vec]) -> Vec:
        mean, scale, bias = of_channel
        return (x - mean) * scale + bias

    _write_mapped(code, size, 3, value)


def _write_gradient(code: PointerCode, size: int) -> None:
    def value(dy: Vec, x: Vec, of_channel: list[Vec]) -> Vec:
        mean, scale, dweight, dbias, factor = of_channel
        return (dy - (x - mean) * scale * dweight - dbias) * factor

    _write_mapped(code, size, 5, value)


def _write_mapped(code: PointerCode, size: int, constants: int, value: Callable[[Vec, Vec, list[Vec]], Vec]) -> None:
    first, second, of_channels, result = code.pointers
    n_count, c_count = code.numbers
    with code.loop(0, n_count) as n, code.loop(0, c_count) as c:
        start = (n * c_count + c) * size
        dy, x, to = (code.at(pointer, start) for pointer in (first, second, result))
        own = [code.broadcast(c_count * which + c, of_channels) for which in range(constants)]

        def put(at: Index | int) -> None:
            result_there = value(code.load(at, dy, aligned=False), code.load(at, x, aligned=False), own)
            code.store(result_there, at, to, aligned=False)

        with code.loop(0, size // code.lanes) as vector:
            put(vector * code.lanes)
        if size % code.lanes:
            put(size - code.lanes)
