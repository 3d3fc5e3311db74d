"""The products of a convolution on an ordinary processor's vectors, float32. See `ops.conv` for the operators."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from math import prod

import numpy as np
from numpy.typing import NDArray

from ops.backends.cpu.forward import write_forward
from ops.backends.cpu.function import function
from ops.backends.cpu.geometry import Geometry, Window
from ops.backends.cpu.memory import empty
from ops.backends.cpu.normalization import sums
from ops.backends.cpu.planes import write_filters_innermost, write_filters_outermost, write_padded, write_spread
from ops.backends.cpu.threads import in_parts, sharing, together
from ops.backends.cpu.weight_gradient import write_weight_gradient
from ops.engines.simd.cpu import cpu

Floats = NDArray[np.float32]

Tile = tuple[int, int, int, int]
"""A tile of filters: `(group, tile, its first filter over all groups, its filters)`."""

CHUNK_BYTES = 2**20
"""How much of the padded input is worked on at a time: it stays in the second-level cache with a tile's weights."""


def convolve(x: Floats, w: Floats, b: Floats | None, window: Window) -> Floats:
    """y (n, o, p, q) of x (n, c, h, w) and the filters w (o, c / groups, r, s)."""
    geometry = window.geometry(x.shape[1], w.shape[0])
    y = empty((x.shape[0], w.shape[0], *window.places))
    weights, biases = _tiles(geometry, w, window.groups), _bias_tiles(geometry, b, window.groups)
    function(write_forward, 5, 4, geometry)  # compiled here, not by every thread
    in_parts(len(x), lambda part: _convolve(x[part], weights, biases, geometry, window, y[part]))
    return y


def _convolve(x: Floats, weights: Floats, biases: Floats, geometry: Geometry, window: Window, y: Floats) -> None:
    """`convolve` for some examples, from weights and biases in tiles, into their part of y."""
    room = empty((geometry.outputs_of_plane * geometry.tile_filters + cpu().lanes ** 2,))
    run, places = function(write_forward, 5, 4, geometry), geometry.outputs_of_plane
    x_group, w_tile = geometry.inputs * prod(geometry.plane), geometry.taps * geometry.tile_filters
    outputs = y.shape[1]
    to, room_at, from_w, from_b = (array.ctypes.data for array in (y, room, weights, biases))
    for part, padded in _padded_parts(x, window):
        from_x = padded.ctypes.data
        for group, tile, first, count in _each_tile(geometry, window.groups):
            which = group * geometry.tiles + tile
            run(
                from_x + 4 * group * x_group,
                from_w + 4 * which * w_tile,
                from_b + 4 * which * geometry.tile_filters,
                room_at,
                to + 4 * (part.start * outputs + first) * places,
                part.stop - part.start,
                x_group * window.groups,
                outputs * places,
                count,
            )


def weight_gradient(dy: Floats, x: Floats, w_shape: tuple[int, ...], window: Window) -> Floats:
    """dw (o, c / groups, r, s) of dy (n, o, p, q)."""
    geometry, groups = window.geometry(x.shape[1], w_shape[0]), window.groups
    totals = empty((groups, geometry.tiles, geometry.taps, geometry.tile_filters))
    totals[...] = 0
    function(write_weight_gradient, 3, 2, geometry)  # compiled here, not by every thread
    dy, tiles = np.ascontiguousarray(dy), list(_each_tile(geometry, groups))
    in_parts(len(tiles), lambda part: _add_products(dy, x, tiles[part], geometry, window, totals))
    dw = empty((w_shape[0], geometry.taps))
    turn, square = function(write_filters_outermost, 3, 1, geometry.taps, geometry.lane_tile), _squares(1)
    for group, tile, first, count in tiles:
        turn(totals[group, tile].ctypes.data, dw[first:].ctypes.data, square.ctypes.data, count)
    return dw.reshape(w_shape)


def _add_products(dy: Floats, x: Floats, tiles: list[Tile], geometry: Geometry, window: Window, totals: Floats) -> None:
    """`weight_gradient` for some tiles, into their part of the totals."""
    add, outputs = function(write_weight_gradient, 3, 2, geometry), dy.shape[1]
    x_group, w_tile = geometry.inputs * prod(geometry.plane), geometry.taps * geometry.tile_filters
    to = totals.ctypes.data
    for part, padded in _padded_parts(x, window):
        from_x = padded.ctypes.data
        innermost = _FiltersInnermost(part.stop - part.start, geometry.outputs_of_plane, geometry.lane_tile)
        from_dy, step = dy[part].ctypes.data, outputs * geometry.outputs_of_plane
        for group, tile, first, count in tiles:
            turned = innermost.of(from_dy + 4 * first * geometry.outputs_of_plane, step, count)
            which = group * geometry.tiles + tile
            examples = part.stop - part.start
            add(from_x + 4 * group * x_group, turned, to + 4 * which * w_tile, examples, x_group * window.groups)


def gradients(dy: Floats, x: Floats, w: Floats, window: Window, *, wants_input: bool) -> tuple[Floats | None, Floats]:
    """`(dx, dw)` of dy (n, o, p, q); unless it `wants_input`, dx is None."""
    of_weights = partial(weight_gradient, dy, x, w.shape, window)
    of_input = partial(input_gradient, dy, w, x.shape, window)
    if not wants_input:
        return None, of_weights()
    tiles = window.groups * window.geometry(x.shape[1], w.shape[0]).tiles
    if tiles < sharing():  # too few for every thread to have one
        dw, dx = together(of_weights, of_input)
    else:
        dw, dx = of_weights(), of_input()
    return dx, dw


def bias_gradient(dy: Floats) -> Floats:
    """db (o,) of dy (n, o, p, q)."""
    n, o, *places = dy.shape
    planes = np.ascontiguousarray(dy).reshape(n, o, prod(places))
    of_planes = sums(planes) if planes.shape[2] >= cpu().lanes else planes.sum(axis=2)
    db: Floats = of_planes.sum(axis=0)
    return db


def input_gradient(dy: Floats, w: Floats, x_shape: tuple[int, ...], window: Window) -> Floats:
    """dx (n, c, h, w) of dy (n, o, p, q): for each phase of the stride, a convolution of dy with filters turned round.

    Where x[h] meets tap r of output p, h + before = p stride + r dilation. So the rows h = a, a + stride, … of dx meet
    every stride-th tap, and each of them one output further on than the row before. With a stride of 1 there is one
    phase; else the dilation must be 1.
    """
    phases = [_phases(axis, x_shape[2 + axis], window) for axis in range(2)]
    turned = _turned(w, window.groups)
    if len(phases[0]) == len(phases[1]) == 1:
        return _one_phase(dy, turned, phases[0][0], phases[1][0], window)
    dx = empty(x_shape)
    if not all(phase.taps for axis in phases for phase in axis):
        dx[...] = 0  # numbers that no filter met
    for down in phases[0]:
        for across in phases[1]:
            if not down.taps or not across.taps:
                continue
            part = _one_phase(dy, turned, down, across, window)
            spread = function(write_spread, 2, 1, part.shape[2:], x_shape[2:], window.stride)
            spread(part.ctypes.data, _address(dx, down.first * x_shape[3] + across.first), dx.shape[0] * dx.shape[1])
    return dx


@dataclass(frozen=True)
class _Phase:
    """Every stride-th row of x from `first` on: the taps that it meets, in the order in which dy is read."""

    first: int
    rows: int
    taps: tuple[int, ...]
    before: int


def _phases(axis: int, length: int, window: Window) -> list[_Phase]:
    stride, dilation, before = window.stride[axis], window.dilation[axis], window.before[axis]
    found = []
    for first in range(min(stride, length)):
        taps = [r for r in range(window.kernel[axis]) if (first + before - r * dilation) % stride == 0]
        rows = len(range(first, length, stride))
        latest = (first + before - taps[-1] * dilation) // stride if taps else 0
        found.append(_Phase(first, rows, tuple(reversed(taps)), -latest))
    return found


def _one_phase(dy: Floats, turned_w: Floats, down: _Phase, across: _Phase, window: Window) -> Floats:
    w = turned_w[:, :, _backwards(down.taps), _backwards(across.taps)]
    dilation = tuple(d if s == 1 else 1 for d, s in zip(window.dilation, window.stride, strict=True))
    reach = [(phase.rows, d * (len(phase.taps) - 1)) for phase, d in zip((down, across), dilation, strict=True)]
    padded = (sum(reach[0]), sum(reach[1]))
    kernel = (len(down.taps), len(across.taps))
    before = (down.before, across.before)
    return convolve(dy, w, None, Window(kernel, (1, 1), (dilation[0], dilation[1]), before, padded, window.groups))


def _backwards(taps: tuple[int, ...]) -> slice:
    """Evenly spaced taps, the last first, as a slice."""
    step = taps[0] - taps[1] if len(taps) > 1 else 1
    stop = taps[-1] - step
    return slice(taps[0], stop if stop >= 0 else None, -step)


def _turned(w: Floats, groups: int) -> Floats:
    """The filters (c, o / groups, r, s) that lead back from each group's outputs to its inputs."""
    each = w.reshape(groups, -1, *w.shape[1:])
    return each.swapaxes(1, 2).reshape(-1, each.shape[1], *w.shape[2:])


def _each_tile(geometry: Geometry, groups: int) -> Iterator[Tile]:
    """Each tile of filters."""
    for group in range(groups):
        for tile in range(geometry.tiles):
            first = tile * geometry.tile_filters
            yield group, tile, group * geometry.outputs + first, min(geometry.tile_filters, geometry.outputs - first)


def _tiles(geometry: Geometry, w: Floats, groups: int) -> Floats:
    """The filters as (groups, tiles, taps, filters of a tile), zeros where there is no filter."""
    packed = empty((groups, geometry.tiles, geometry.taps, geometry.tile_filters))
    w = np.ascontiguousarray(w)
    for group, tile, first, count in _each_tile(geometry, groups):
        innermost = _FiltersInnermost(1, geometry.taps, geometry.lane_tile, packed[group, tile])
        innermost.of(w[first:].ctypes.data, 0, count)
    return packed


class _FiltersInnermost:
    """Turns (n, filters, places) into (n, places, filters of a tile), zeros where there is no filter."""

    def __init__(self, n: int, places: int, vectors: int, into: Floats | None = None) -> None:
        self._n = n
        self._into = empty((n, places, vectors * cpu().lanes)) if into is None else into
        self._squares = _squares(vectors)
        self._addresses = self._into.ctypes.data, self._squares.ctypes.data
        self._turn = function(write_filters_innermost, 3, 3, places, vectors)
        self._filters = 0
        self._few_places = places < cpu().lanes

    def of(self, address: int, step: int, filters: int) -> int:
        """The address of what lay at one, with so many numbers from an example to the next."""
        if filters != self._filters:  # what other filters left behind
            self._squares[...] = 0
            if self._few_places:
                self._into[...] = 0
            self._filters = filters
        self._turn(address, *self._addresses, self._n, step, filters)
        return self._addresses[0]


def _squares(vectors: int) -> Floats:
    """Zeros that kernels need for transposing."""
    squares = empty((vectors, cpu().lanes, cpu().lanes))
    squares[...] = 0
    return squares


def _bias_tiles(geometry: Geometry, b: Floats | None, groups: int) -> Floats:
    packed = empty((groups, geometry.tiles * geometry.tile_filters))
    packed[...] = 0
    if b is not None:
        packed[:, : geometry.outputs] = b.reshape(groups, geometry.outputs)
    return packed.reshape(groups, geometry.tiles, geometry.tile_filters)


def _padded_parts(x: Floats, window: Window) -> Iterator[tuple[slice, Floats]]:
    """A few examples at a time: their slice, and their padded planes, which last until the next are asked for."""
    n, c, *plane = x.shape
    x = np.ascontiguousarray(x)
    each = max(1, CHUNK_BYTES // (4 * c * prod(window.padded)))
    parts = [slice(start, min(start + each, n)) for start in range(0, n, each)]
    if window.before == (0, 0) and window.padded == tuple(plane):
        for part in parts:
            yield part, x[part]
        return
    padded = empty((min(each, n), c, *window.padded))
    padded[...] = 0
    source = [max(0, -before) for before in window.before]
    target = [max(0, before) for before in window.before]
    size = [min(have - s, room - t) for have, s, room, t in zip(plane, source, window.padded, target, strict=True)]
    if min(size) > 0:
        copy = function(write_padded, 2, 1, tuple(size), tuple(plane), window.padded)
        to = _address(padded, target[0] * window.padded[1] + target[1])
        for part in parts:
            count = part.stop - part.start
            copy(_address(x[part.start], source[0] * plane[1] + source[1]), to, count * c)
            yield part, padded[:count]
        return
    for part in parts:
        yield part, padded[: part.stop - part.start]


def _address(array: Floats, offset: int) -> int:
    """Of a number of an array that lives on."""
    address: int = array.ctypes.data
    return address + 4 * offset
