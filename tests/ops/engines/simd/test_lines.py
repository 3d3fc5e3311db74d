"""Cutting a line of places into stretches that one piece of code can do."""

from hypothesis import given
from hypothesis import strategies as st

from ops.engines.simd.lines import inward, outward, stretches


@st.composite
def lines(draw):
    window, stride, dilation = draw(st.integers(1, 5)), draw(st.integers(1, 4)), draw(st.integers(1, 3))
    padding = draw(st.integers(0, 3))
    least = max(1, dilation * (window - 1) + 1 - 2 * padding)
    length = draw(st.integers(least, least + 25))
    places = (length + 2 * padding - dilation * (window - 1) - 1) // stride + 1
    return outward(places, length, window, stride, padding, dilation), length, (window, stride, padding, dilation)


@given(lines())
def test_places_meet_exactly_the_numbers_under_their_taps(line):
    meetings, length, (window, stride, padding, dilation) = line
    expected = {
        (place, tap, place * stride - padding + tap * dilation)
        for place in range(len(meetings))
        for tap in range(window)
        if 0 <= place * stride - padding + tap * dilation < length
    }
    assert {(place, tap, at) for place, row in enumerate(meetings) for tap, at in row} == expected


@given(lines())
def test_inward_is_the_same_meetings_seen_from_the_other_side(line):
    meetings, length, _ = line
    there = {(place, tap, at) for place, row in enumerate(meetings) for tap, at in row}
    back = {(place, tap, at) for at, row in enumerate(inward(meetings, length)) for tap, place in row}
    assert there == back


@given(lines(), st.integers(1, 7))
def test_stretches_do_every_meeting_once(line, width):
    meetings, _, _ = line
    done = [
        (stretch.first + tile * stretch.width + n, tap, stretch.origin + tile * stretch.advance + at)
        for stretch in stretches(meetings, width)
        for tile in range(stretch.count)
        for n, tap, at in stretch.terms
    ]
    assert sorted(done) == sorted((place, tap, at) for place, row in enumerate(meetings) for tap, at in row)


@given(lines(), st.integers(1, 7))
def test_stretches_cover_every_place_once_even_those_that_meet_nothing(line, width):
    meetings, _, _ = line
    places = [stretch.first + n for stretch in stretches(meetings, width) for n in range(stretch.width * stretch.count)]
    assert places == list(range(len(meetings)))


def test_equal_tiles_are_one_stretch():
    inner = stretches(outward(28, 28, 5, 1, 2), 4)
    assert [(stretch.first, stretch.count) for stretch in inner] == [(0, 1), (4, 5), (24, 1)]
