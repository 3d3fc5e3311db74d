"""Operators on single numbers, in one pass over memory, with the bits that NumPy gives."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from llvmlite import ir
from numpy.typing import NDArray

from ops.backends.cpu.function import PointerCode, function
from ops.backends.cpu.memory import empty
from ops.backends.cpu.threads import in_parts
from ops.engines.simd.codegen.code import FLOAT, Index, Vec

Floats = NDArray[np.float32]


def relu_grad(dy: Floats, y: Floats) -> Floats:
    """dy where y > 0, else dy times zero."""
    dx = empty(dy.shape)
    run = function(_write_relu_grad, 3, 1)

    def of_examples(part: slice) -> None:
        own = dy[part]
        run(own.ctypes.data, y[part].ctypes.data, dx[part].ctypes.data, own.size)

    in_parts(len(dy), of_examples)
    return dx


def sgd_update(
    theta: Floats, velocity: Floats, gradient: Floats, numbers: tuple[float, float, float], nesterov: bool
) -> None:
    """See `ops.optimizers.sgd.sgd_update`. numbers: weight decay, momentum and learning rate."""
    decay, momentum, _ = numbers
    constants = np.array(numbers, np.float32)
    run = function(_write_sgd_update, 4, 1, bool(decay), bool(momentum), nesterov)
    run(theta.ctypes.data, velocity.ctypes.data, gradient.ctypes.data, constants.ctypes.data, theta.size)


class _Numbers:
    """A vector of numbers of each array, or a single one, at an index."""

    def __init__(self, code: PointerCode, at: Index, single: bool) -> None:
        self._code, self._at, self._single = code, at, single

    def load(self, pointer: ir.Value) -> Vec:
        if self._single:
            return Vec(self._code, self._code.builder.load(self._code.at(pointer, self._at)))
        return self._code.load(self._at, pointer, aligned=False)

    def store(self, value: Vec, pointer: ir.Value) -> None:
        if self._single:
            self._code.builder.store(value.value, self._code.at(pointer, self._at))
        else:
            self._code.store(value, self._at, pointer, aligned=False)

    def constant(self, pointer: ir.Value, offset: int) -> Vec:
        """A float of an array, the same for all."""
        scalar = self._code.builder.load(self._code.at(pointer, offset))
        return Vec(self._code, scalar) if self._single else self._code.splat(scalar)

    def number(self, value: float) -> Vec:
        return Vec(self._code, ir.Constant(FLOAT, value)) if self._single else self._code.constant(value)


@contextmanager
def _each(code: PointerCode, size: Index, single: bool) -> Iterator[_Numbers]:
    """A loop of the kernel over whole vectors, or over the numbers that are left."""
    whole = Index(code, code.builder.and_(size.value, code.long(-code.lanes)))
    with code.loop(whole if single else 0, size if single else whole, 1 if single else code.lanes) as at:
        yield _Numbers(code, at, single)


def _write_relu_grad(code: PointerCode) -> None:
    dy, y, dx = code.pointers
    for single in (False, True):
        with _each(code, code.numbers[0], single) as at:
            factor = code.select(at.load(y).compare(">", at.number(0.0)), at.number(1.0), at.number(0.0))
            at.store(at.load(dy) * factor, dx)


def _write_sgd_update(code: PointerCode, decay: bool, momentum: bool, nesterov: bool) -> None:
    theta, velocity, gradient, constants = code.pointers
    for single in (False, True):
        with _each(code, code.numbers[0], single) as at:
            decay_, momentum_, rate = (at.constant(constants, n) for n in range(3))
            step: Any = at.load(gradient)
            parameter = at.load(theta)
            if decay:
                step = step + decay_ * parameter
            if momentum:
                speed = at.load(velocity) * momentum_ + step
                at.store(speed, velocity)
                step = step + momentum_ * speed if nesterov else speed
            at.store(parameter - step * rate, theta)
