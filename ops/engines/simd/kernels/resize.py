"""Bilinear resizing on vectors, by tables of the pixels that each new pixel lies between."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np
from llvmlite import ir

from ops.engines.simd.codegen.code import Code, Index, Offset, Vec
from ops.engines.simd.codegen.kernel import Kernel
from ops.engines.simd.kernels.base import UniformKernels, register
from ops.engines.simd.kernels.buffers import Buffers
from ops.layers import Resize, Shape


@register(Resize)
class ResizeKernels(UniformKernels):
    """y = x interpolated at the centres of the new pixels (see `ops.resize`)."""

    def backward(self, buffers: Buffers) -> list[Kernel]:
        def write(code: Code) -> None:
            backward(
                code, self.x_shape, self.y_shape, buffers.output_gradient().at(code), buffers.input_gradient().at(code)
            )

        return [self.kernel("backward", write)] if buffers.dx else []

    def write_forward(self, buffers: Buffers) -> partial[None]:
        return partial(forward, x_shape=self.x_shape, y_shape=self.y_shape, x=buffers.x, y=buffers.y)


@dataclass(frozen=True)
class _Axis:
    """For each new position on an axis the two old ones that it lies between.

    Attributes:
        near: A table of the nearer to the start, as offsets in floats.
        far: A table of the other.
        near_weight: A table of what the first counts.
        far_weight: A table of what the other counts.
    """

    near: ir.Value
    far: ir.Value
    near_weight: ir.Value
    far_weight: ir.Value

    @classmethod
    def of(cls, code: Code, old: int, new: int, step: int) -> _Axis:
        centre = np.maximum((np.arange(new) + 0.5) * (old / new) - 0.5, 0)
        near = np.minimum(centre.astype(int), old - 1)
        far = np.minimum(near + 1, old - 1)
        weight = centre - near
        offsets = (code.table([int(position) * step for position in positions]) for positions in (near, far))
        return cls(*offsets, *(code.table([float(number) for number in weights]) for weights in (1 - weight, weight)))

    def neighbours(self, code: Code, position: Index) -> list[tuple[Index, Vec]]:
        """The offsets of the two old positions, and what each counts."""
        return [
            (Index(code, code.table_entry(offset, position)), code.splat(code.table_entry(weight, position)))
            for offset, weight in ((self.near, self.near_weight), (self.far, self.far_weight))
        ]


def forward(code: Code, x_shape: Shape, y_shape: Shape, x: int, y: int) -> None:
    """y = x interpolated at the centres of the new pixels (see `ops.resize`)."""
    rows, columns = _axes(code, x_shape, y_shape)
    with code.loop(0, y_shape[0]) as c, code.loop(0, y_shape[1]) as p:
        (upper, upper_weight), (lower, lower_weight) = rows.neighbours(code, p)
        base = c * (x_shape[1] * x_shape[2] * code.lanes) + x
        with code.loop(0, y_shape[2]) as q:
            (left, left_weight), (right, right_weight) = columns.neighbours(code, q)
            above, below = (
                code.load(base + row + left) * left_weight + code.load(base + row + right) * right_weight
                for row in (upper, lower)
            )
            place = ((c * y_shape[1] + p) * y_shape[2] + q) * code.lanes + y
            code.store(above * upper_weight + below * lower_weight, place)


def backward(code: Code, x_shape: Shape, y_shape: Shape, dy: Offset, dx: Offset) -> None:
    """dx = the sum of each dy times what each old pixel counted for it."""
    rows, columns = _axes(code, x_shape, y_shape)
    with code.loop(0, x_shape[0] * x_shape[1] * x_shape[2]) as n:
        code.store(code.constant(0), n * code.lanes + dx)
    with code.loop(0, y_shape[0]) as c, code.loop(0, y_shape[1]) as p:
        base = c * (x_shape[1] * x_shape[2] * code.lanes) + dx
        with code.loop(0, y_shape[2]) as q:
            gradient = code.load(((c * y_shape[1] + p) * y_shape[2] + q) * code.lanes + dy)
            for row, row_weight in rows.neighbours(code, p):
                for column, column_weight in columns.neighbours(code, q):
                    place = base + row + column
                    code.store(code.load(place) + gradient * row_weight * column_weight, place)


def _axes(code: Code, x_shape: Shape, y_shape: Shape) -> tuple[_Axis, _Axis]:
    across = _Axis.of(code, x_shape[2], y_shape[2], code.lanes)
    return _Axis.of(code, x_shape[1], y_shape[1], x_shape[2] * code.lanes), across
