"""Which positions of a window meet which numbers of an axis, and cutting an axis into runs of equal tiles."""

from hypothesis import given
from hypothesis import strategies as st

from ops.engines.simd.codegen.tap_maps import input_taps, output_taps, tile_runs


@st.composite
def axes(draw):
    window, stride, dilation = draw(st.integers(1, 5)), draw(st.integers(1, 4)), draw(st.integers(1, 3))
    padding = draw(st.integers(0, 3))
    least = max(1, dilation * (window - 1) + 1 - 2 * padding)
    length = draw(st.integers(least, least + 25))
    outputs = (length + 2 * padding - dilation * (window - 1) - 1) // stride + 1
    return output_taps(outputs, length, window, stride, padding, dilation), length, (window, stride, padding, dilation)


@given(axes())
def test_outputs_meet_exactly_the_inputs_under_their_taps(axis):
    taps, length, (window, stride, padding, dilation) = axis
    expected = {
        (output, tap, output * stride - padding + tap * dilation)
        for output in range(len(taps))
        for tap in range(window)
        if 0 <= output * stride - padding + tap * dilation < length
    }
    assert {(output, tap, at) for output, row in enumerate(taps) for tap, at in row} == expected


@given(axes())
def test_input_taps_are_the_transpose_of_output_taps(axis):
    taps, length, _ = axis
    there = {(output, tap, at) for output, row in enumerate(taps) for tap, at in row}
    back = {(output, tap, at) for at, row in enumerate(input_taps(taps, length)) for tap, output in row}
    assert there == back


@given(axes(), st.integers(1, 7))
def test_tile_runs_have_every_tap_once(axis, width):
    taps, _, _ = axis
    done = [
        (run.first + tile * run.width + n, tap, run.origin + tile * run.advance + at)
        for run in tile_runs(taps, width)
        for tile in range(run.count)
        for n, tap, at in run.terms
    ]
    assert sorted(done) == sorted((output, tap, at) for output, row in enumerate(taps) for tap, at in row)


@given(axes(), st.integers(1, 7))
def test_tile_runs_cover_every_position_once_even_those_without_taps(axis, width):
    taps, _, _ = axis
    positions = [run.first + n for run in tile_runs(taps, width) for n in range(run.width * run.count)]
    assert positions == list(range(len(taps)))


def test_equal_tiles_are_one_run():
    inner = tile_runs(output_taps(28, 28, 5, 1, 2), 4)
    assert [(run.first, run.count) for run in inner] == [(0, 1), (4, 5), (24, 1)]
