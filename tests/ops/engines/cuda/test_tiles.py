"""Tiles cover what they are for, keep within a thread's registers, and are chosen as one would by hand."""

from math import ceil

import pytest

from ops.engines.cuda import tiles
from ops.engines.cuda.tiles import MOST_SUMS, THREADS, WARP, Filter, Planes, Tile

FIVE = Filter(5, 5)
SHAPES = [
    (Planes(2 * rows, width, channels, channels // groups), Filter(size, size, stride, dilation))
    for rows, width in ((1, 1), (5, 7), (28, 28), (55, 55))
    for channels, groups in ((1, 1), (6, 1), (6, 2), (6, 6), (96, 1))
    for size, stride, dilation in ((1, 1, 1), (3, 1, 2), (5, 1, 1), (11, 4, 1))
]


@pytest.mark.parametrize(("planes", "taps"), SHAPES, ids=str)
def test_a_tile_divides_its_group_and_fits_in_registers_and_in_a_warp(planes: Planes, taps: Filter):
    forth, back = tiles.forward(planes, taps), tiles.back(planes, planes, taps, THREADS)
    sums = tiles.weights(planes, 3, taps, THREADS)
    for tile in (forth, back, sums):
        assert planes.group % tile.channels == 0
        assert 1 <= tile.columns <= planes.width
        assert WARP % tile.parts == 0
        assert tile.threads % WARP == 0
    for tile in (forth, back):
        assert tile.columns * tile.channels <= MOST_SUMS
    assert forth.parts == 1
    assert back.parts <= planes.group
    assert sums.channels * taps.wide <= MOST_SUMS


def test_no_column_of_an_image_is_wasted_where_that_can_be():
    for width in (4, 5, 7, 8, 10, 12, 14, 21, 24, 28):
        columns = tiles.forward(Planes(2 * width, width, 4, 4), FIVE).columns
        assert ceil(width / columns) * columns == width


def test_sums_are_shared_until_the_threads_are_at_work():
    # LeNet's filters: 150 numbers that are sums over 2 x 784 places, in rows of five
    tile = tiles.weights(Planes(2 * 28, 28, 6, 6), 1, FIVE, THREADS)
    rows = 6 * 5 // tile.channels
    assert THREADS / 3 <= rows * tile.parts <= THREADS


def test_a_short_row_goes_back_whole():
    made, taken = Planes(2 * 14, 14, 6, 6), Planes(2 * 10, 10, 16, 16)
    assert tiles.back(made, taken, FIVE, THREADS).columns == 14
    assert tiles.back(Planes(2 * 28, 28, 6, 6), Planes(2 * 24, 24, 16, 16), FIVE, THREADS).columns == 7


def test_one_place_of_one_channel_is_a_tile_by_itself():
    assert tiles.forward(Planes(1, 1, 1, 1), Filter(1, 1)) == Tile(1, 1, 1, 32)
