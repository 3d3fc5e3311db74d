"""Exponential, sigmoid and tanh on vectors, by polynomials fitted for this file.

The coefficients minimise the largest relative error over the interval named (weighted least squares,
reweighted until the error is level); tests measure what comes out against float64.
"""

from llvmlite import ir

from ops.engines.simd.codegen.code import WORD, Code, Vec

LOG2_E, LOG2_E_REST = 1.44269502162933349609375, 1.92596299e-08
"""log2(e) as a float32 and what is missing from it."""

EXP2 = (0.6931470036506653, 0.24022242426872253, 0.05550733581185341, 0.009671512991189957, 0.001326472731307149)
"""2^x = 1 + x (c0 + x (c1 + …)) for |x| <= 1/2; relative error 9.2e-8."""

TANH = (-0.3333325982093811, 0.1333083063364029, -0.05368802323937416, 0.02046941965818405, -0.005515164230018854)
"""tanh x = x + x³ (c0 + x² (c1 + …)) for |x| <= 0.65; relative error 6.8e-9."""

ROUNDING = 1.5 * 2.0**23
"""Added to a float32 of moderate size it leaves the nearest whole number in the lowest bits."""

LARGEST = 87.0
"""exp(±87) is still an ordinary float32."""


def exp(code: Code, x: Vec) -> Vec:
    """e^x for x within ±`LARGEST`, where it stays beyond; NaN stays NaN."""
    top = code.constant(LARGEST)
    bottom = code.constant(-LARGEST)
    x = code.select(x.compare(">", top), top, x)
    x = code.select(x.compare("<", bottom), bottom, x)
    # x log2(e) = whole + part with |part| <= 1/2; the part keeps its digits because fma rounds once
    log2_e, rounding = code.constant(LOG2_E), code.constant(ROUNDING)
    rounded = x.fma(log2_e, rounding)
    whole = rounded - rounding
    part = x.fma(log2_e, -whole)
    part = x.fma(code.constant(LOG2_E_REST), part)
    power = part.fma(polynomial(code, part, EXP2), code.constant(1))
    # the whole part goes straight into the exponent's bits
    words = ir.VectorType(WORD, code.lanes)
    builder = code.builder
    exponent = builder.shl(builder.bitcast(rounded.value, words), code.int_constant(23))
    scaled = builder.add(builder.bitcast(power.value, words), exponent)
    return Vec(code, builder.bitcast(scaled, code.vector))


def sigmoid(code: Code, x: Vec) -> Vec:
    """1 / (1 + e^-x)."""
    one = code.constant(1)
    return one / (exp(code, -x) + one)


def tanh(code: Code, x: Vec) -> Vec:
    """tanh x: a polynomial near 0, where 1 - 2 / (1 + e^2x) would lose its digits, and that formula elsewhere."""
    square = x * x
    near = (square * x).fma(polynomial(code, square, TANH), x)
    size = code.call("fabs", x)
    one, two = code.constant(1), code.constant(2)
    far = one - two / (exp(code, size + size) + one)
    return code.call("copysign", code.select(size.compare(">", code.constant(0.65)), far, near), x)


def polynomial(code: Code, x: Vec, coefficients: tuple[float, ...]) -> Vec:
    """c0 + x (c1 + x (c2 + …)), by Horner's rule."""
    *rest, total = (code.constant(c) for c in coefficients)
    for c in reversed(rest):
        total = total.fma(x, c)
    return total
