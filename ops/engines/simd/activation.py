"""Activations on vectors, and their slopes as functions of their results."""

from __future__ import annotations

from ops.engines.simd import numerics
from ops.engines.simd.code import Code, Place, Vec
from ops.layers import LeakyReLU, ReLU, Sigmoid, Tanh
from ops.layers.activation import Activation


def value(code: Code, layer: Activation | None, x: Vec) -> Vec:
    """f(x); x itself where there is no activation."""
    match layer:
        case None:
            return x
        case Sigmoid():
            return numerics.sigmoid(code, x)
        case Tanh():
            return numerics.tanh(code, x)
        case ReLU():
            # this way round NaN stays NaN
            return code.select(x.compare("<", code.constant(0)), code.constant(0), x)
        case LeakyReLU(slope):
            return code.select(x.compare(">", code.constant(0)), x, code.constant(slope) * x)
    raise TypeError(f"no vector form of {layer}")


def slope(code: Code, layer: Activation | None, dy: Vec, y: Vec) -> Vec:
    """dy f'(x), from y = f(x)."""
    match layer:
        case None:
            return dy
        case Sigmoid():
            return dy * (y * (code.constant(1) - y))
        case Tanh():
            return dy * (-y).fma(y, code.constant(1))
        case ReLU():
            return code.select(y.compare(">", code.constant(0)), dy, code.constant(0))
        case LeakyReLU(slope):
            return code.select(y.compare(">", code.constant(0)), dy, code.constant(slope) * dy)
    raise TypeError(f"no vector form of {layer}")


def forward(code: Code, layer: Activation | None, elements: int, x: int, y: int) -> None:
    """y = f(x) for all of them; needed where the layer before can't apply it to its own results."""
    with code.loop(0, elements) as n:
        code.store(value(code, layer, code.load(n * code.lanes + x)), n * code.lanes + y)


def backward(code: Code, layer: Activation, elements: int, dy: Place, y: int) -> None:
    """dx = dy f'(x), in place; needed where the layer behind can't apply it to what it sends back."""
    with code.loop(0, elements) as n:
        place = n * code.lanes + dy
        code.store(slope(code, layer, code.load(place), code.load(n * code.lanes + y)), place)
