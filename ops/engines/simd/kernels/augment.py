"""Each example's random flip and shift, drawn as `ops.augment` draws them."""

from __future__ import annotations

from ops.engines.simd.codegen.code import Code
from ops.engines.simd.codegen.lane_data import ACROSS, DOWN, FLIPS
from ops.engines.simd.codegen.rng import philox
from ops.step_config import StepConfig


def draw(code: Code, step_config: StepConfig) -> None:
    """Write whether each example is flipped and how far it is shifted to the lane data."""
    flip, down, across, _ = philox(code, 0, 1)
    span = code.int_constant(2 * step_config.shift + 1)
    builder = code.builder
    values = {FLIPS: builder.and_(flip, code.int_constant(1 if step_config.flip else 0))}
    for row, word in ((DOWN, down), (ACROSS, across)):
        values[row] = builder.sub(builder.urem(word, span), code.int_constant(step_config.shift))
    for row, value in values.items():
        builder.store(value, code.lane_row(row), align=4 * code.lanes)
