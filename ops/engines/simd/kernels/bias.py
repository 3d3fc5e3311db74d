"""The gradient for a bias, which convolutions and dense layers share."""

from __future__ import annotations

from ops.engines.simd.codegen.code import Accumulator, Code, Offset


def bias_gradient(code: Code, channels: int, places: int, dy: Offset, lane_sums: int) -> None:
    """db[o] += sum of dy[o, …] over all positions, separately for each lane."""
    with code.loop(0, channels) as o:
        total = Accumulator(code)
        total.set(code.load(o * code.lanes + lane_sums))
        with code.loop(0, places) as place:
            total.set(total.get() + code.load((o * places + place) * code.lanes + dy))
        code.store(total.get(), o * code.lanes + lane_sums)
