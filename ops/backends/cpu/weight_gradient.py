"""The gradients of a convolution's filters, a tile of filters at a time.

A vector holds the same weight of each of some filters. For each place the tile takes the gradients of the outputs,
with the filters side by side, and one input for each of its taps:

    sums[v, tap] += dy[place, v] * x[channel, place + tap]

The sums of some examples are added to those of the examples before.
"""

from __future__ import annotations

from ops.backends.cpu.function import PointerCode
from ops.backends.cpu.geometry import Geometry
from ops.engines.simd.codegen.code import Accumulator


def write_weight_gradient(code: PointerCode, geometry: Geometry) -> None:
    """dw (c, r, s, filters of the tile) += what n examples give.

    Pointers: x (n, c, h, w), padded; dy (n, p, q, filters of the tile); dw. Numbers: how many examples; from one
    example of x to the next.
    """
    x, dy, dw = code.pointers
    examples, x_example = code.numbers
    (height, width), (p_count, q_count), (r_taps, s_taps) = geometry.plane, geometry.places, geometry.kernel
    (down, across), (dilated_down, dilated_across) = geometry.stride, geometry.dilation
    (channels, rows), tile = geometry.channel_tile, geometry.tile_filters
    taps = [(c, r, s) for c in range(channels) for r in range(rows) for s in range(s_taps)]
    with code.loop(0, geometry.inputs, channels) as c, code.loop(0, r_taps, rows) as r:
        sums = [[Accumulator(code) for _ in taps] for _ in range(geometry.lane_tile)]
        for of_vector in sums:
            for total in of_vector:
                total.set(code.constant(0))
        corner = c * (height * width) + r * (dilated_down * width)
        with code.loop(0, examples) as n, code.loop(0, p_count) as p:
            from_x = code.at(x, n * x_example + p * (down * width) + corner)
            from_dy = code.at(dy, (n * p_count + p) * (q_count * tile))
            with code.loop(0, q_count) as q:
                here, gradient = code.at(from_x, q * across), code.at(from_dy, q * tile)
                gradients = [code.load(v * code.lanes, gradient) for v in range(geometry.lane_tile)]
                for which, (dc, dr, ds) in enumerate(taps):
                    offset = dc * height * width + dr * dilated_down * width + ds * dilated_across
                    value = code.broadcast(offset, here)
                    for v, dy_vector in enumerate(gradients):
                        sums[v][which].set(dy_vector.fma(value, sums[v][which].get()))
        to = code.at(dw, (c * r_taps + r) * (s_taps * tile))
        for which, (dc, dr, ds) in enumerate(taps):
            for v, of_vector in enumerate(sums):
                at = ((dc * r_taps + dr) * s_taps + ds) * tile + v * code.lanes
                code.store(code.load(at, to) + of_vector[which].get(), at, to)
