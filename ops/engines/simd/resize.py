"""Bilinear resizing on vectors, by tables of the pixels that each new pixel lies between."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from llvmlite import ir

from ops.engines.simd.code import Code, Index, Place, Vec
from ops.layers import Shape


@dataclass(frozen=True)
class _Line:
    """For each place of the new line: the offsets of the two old ones it lies between, and their shares."""

    near: ir.Value
    far: ir.Value
    near_share: ir.Value
    far_share: ir.Value

    @classmethod
    def of(cls, code: Code, old: int, new: int, step: int) -> _Line:
        centre = np.maximum((np.arange(new) + 0.5) * (old / new) - 0.5, 0)
        near = np.minimum(centre.astype(int), old - 1)
        far = np.minimum(near + 1, old - 1)
        share = centre - near
        offsets = (code.table([int(place) * step for place in places]) for places in (near, far))
        return cls(*offsets, *(code.table([float(part) for part in parts]) for parts in (1 - share, share)))

    def ends(self, code: Code, place: Index) -> list[tuple[Index, Vec]]:
        """Where the two old places are, and what each counts."""
        return [
            (Index(code, code.entry(offset, place)), code.splat(code.entry(share, place)))
            for offset, share in ((self.near, self.near_share), (self.far, self.far_share))
        ]


def forward(code: Code, x_shape: Shape, y_shape: Shape, x: int, y: int) -> None:
    """y = x interpolated at the centres of the new pixels (see `ops.resize`)."""
    rows, columns = _lines(code, x_shape, y_shape)
    with code.loop(0, y_shape[0]) as c, code.loop(0, y_shape[1]) as p:
        (upper, upper_share), (lower, lower_share) = rows.ends(code, p)
        base = c * (x_shape[1] * x_shape[2] * code.lanes) + x
        with code.loop(0, y_shape[2]) as q:
            (left, left_share), (right, right_share) = columns.ends(code, q)
            above, below = (
                code.load(base + row + left) * left_share + code.load(base + row + right) * right_share
                for row in (upper, lower)
            )
            place = ((c * y_shape[1] + p) * y_shape[2] + q) * code.lanes + y
            code.store(above * upper_share + below * lower_share, place)


def backward(code: Code, x_shape: Shape, y_shape: Shape, dy: Place, dx: Place) -> None:
    """dx: each dy shared out over the pixels that it was made of."""
    rows, columns = _lines(code, x_shape, y_shape)
    with code.loop(0, x_shape[0] * x_shape[1] * x_shape[2]) as n:
        code.store(code.constant(0), n * code.lanes + dx)
    with code.loop(0, y_shape[0]) as c, code.loop(0, y_shape[1]) as p:
        base = c * (x_shape[1] * x_shape[2] * code.lanes) + dx
        with code.loop(0, y_shape[2]) as q:
            sent = code.load(((c * y_shape[1] + p) * y_shape[2] + q) * code.lanes + dy)
            for row, row_share in rows.ends(code, p):
                for column, column_share in columns.ends(code, q):
                    place = base + row + column
                    code.store(code.load(place) + sent * row_share * column_share, place)


def _lines(code: Code, x_shape: Shape, y_shape: Shape) -> tuple[_Line, _Line]:
    across = _Line.of(code, x_shape[2], y_shape[2], code.lanes)
    return _Line.of(code, x_shape[1], y_shape[1], x_shape[2] * code.lanes), across
