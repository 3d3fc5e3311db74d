"""What happens once a step: gradients are cleared, summed over the lanes, and the parameters updated."""

from __future__ import annotations

from collections.abc import Iterable

from ops.engines.simd.codegen.code import Code, Vec
from ops.engines.simd.kernels.buffers import StepBuffers
from ops.step_config import StepConfig


def clear(code: Code, areas: Iterable[tuple[int, int]]) -> None:
    """Zeros in each area, given as `(start, floats)`."""
    for start, count in areas:
        with code.loop(start, start + count, code.lanes) as place:
            code.store(code.constant(0), place)


def sum_lanes(code: Code, lane_sums: int, count: int, gradient: int) -> None:
    """gradient[n] = the sum of all lanes of vector n; count: a multiple of the lanes. Lanes are added in order."""
    with code.loop(0, count, code.lanes) as n:
        rows = [code.load(n * code.lanes + (lane_sums + i * code.lanes)).value for i in range(code.lanes)]
        first, *others = (Vec(code, lane) for lane in code.transpose(rows))
        for other in others:
            first = first + other
        code.store(first, n + gradient)


def step(code: Code, buffers: StepBuffers, step_config: StepConfig) -> None:
    """One step of the rule in `ops.step_config.StepConfig` for all parameters; the padding's zeros stay zero."""
    rate = code.load(buffers.rate)
    momentum = code.constant(step_config.momentum)
    with code.loop(0, buffers.count, code.lanes) as n:
        theta, g = code.load(n + buffers.theta), code.load(n + buffers.gradient)
        if step_config.weight_decay:
            g = theta.fma(code.constant(step_config.weight_decay), g)
        direction = g
        if step_config.momentum:
            velocity = code.load(n + buffers.velocity).fma(momentum, g)
            code.store(velocity, n + buffers.velocity)
            direction = velocity.fma(momentum, g) if step_config.nesterov else velocity
        code.store((-rate).fma(direction, theta), n + buffers.theta)
