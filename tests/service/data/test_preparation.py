"""From a picture to an example: each rule, with the array that it must give."""

import numpy as np
import pytest
from numpy.typing import NDArray

from service.data.preparation import (
    Preparation,
    border,
    crop_middle,
    cut_background,
    flatten,
    match_background,
    prepare,
)
from tests.garments import garments

SHAPE = (28, 28)
IMAGES = garments(20)
DEFAULT = Preparation()


def prepared(pixels: NDArray[np.uint8], **options: object) -> NDArray[np.uint8]:
    return prepare(pixels, None, SHAPE, DEFAULT, **options)  # type: ignore[arg-type]  # tests name real options


@pytest.mark.parametrize("image", IMAGES)
def test_a_training_image_stays_what_it_is_to_the_bit(image: NDArray[np.uint8]) -> None:
    np.testing.assert_array_equal(prepared(image), image)


@pytest.mark.parametrize("image", IMAGES[:5])
def test_a_picture_on_a_bright_background_is_inverted(image: NDArray[np.uint8]) -> None:
    np.testing.assert_array_equal(prepared(255 - image), image)


@pytest.mark.parametrize("level", [120, 200, 240])
@pytest.mark.parametrize("image", IMAGES[:5])
def test_a_dark_thing_on_a_grey_background_becomes_bright_on_black(image: NDArray[np.uint8], level: int) -> None:
    dark = np.rint(level * (1 - image / 255)).astype(np.uint8)
    # A step of 1 in `dark` is one of 255 / level in the result.
    np.testing.assert_allclose(prepared(dark).astype(int), image, atol=255 / level)


@pytest.mark.parametrize("level", [60, 120])
def test_a_bright_thing_on_a_grey_background_becomes_bright_on_black(level: int) -> None:
    bright = np.rint(level + IMAGES[0] * ((255 - level) / 255)).astype(np.uint8)
    np.testing.assert_allclose(prepared(bright).astype(int), IMAGES[0], atol=255 / (255 - level))


def test_a_picture_without_a_plain_background_is_inverted_where_its_border_is_bright() -> None:
    random = np.random.default_rng(1)
    bright = random.integers(100, 256, SHAPE, dtype=np.uint8)
    np.testing.assert_array_equal(prepared(bright), 255 - bright)
    dark = random.integers(0, 156, SHAPE, dtype=np.uint8)
    np.testing.assert_array_equal(prepared(dark), dark)


def test_whoever_knows_says_whether_to_invert() -> None:
    np.testing.assert_array_equal(prepared(IMAGES[0], invert=True), 255 - IMAGES[0])
    np.testing.assert_array_equal(prepared(255 - IMAGES[0], invert=False), 255 - IMAGES[0])


@pytest.mark.parametrize("shape", [(280, 400), (280, 281), (700, 280)])
@pytest.mark.parametrize("place", [0.0, 0.5, 1.0])
def test_plain_background_is_cut_off_the_longer_side_wherever_the_thing_is(
    shape: tuple[int, int], place: float
) -> None:
    large = IMAGES[1].repeat(10, axis=0).repeat(10, axis=1)
    canvas = np.zeros(shape, np.uint8)
    top, left = (round((outer - 280) * place) for outer in shape)
    canvas[top : top + 280, left : left + 280] = large
    result = prepared(canvas)
    there = [np.flatnonzero(result.any(axis=axis)) for axis in (0, 1)]
    expected = [np.flatnonzero(IMAGES[1].any(axis=axis)) for axis in (0, 1)]
    for found, wanted in zip(there, expected, strict=True):
        assert abs(len(found) - len(wanted)) <= 1, "the thing has the size that it has in the training images"


def test_a_thing_that_fills_a_long_picture_is_padded_and_never_squeezed() -> None:
    wide = np.full((100, 200), 200, np.uint8)
    wide[:, 60:140] = 255
    result = prepared(wide, invert=False)
    assert result[:7].max() == result[-7:].max() == 0
    assert (result[7:21] > 0).all()
    tall = prepared(wide.T, invert=False)
    np.testing.assert_array_equal(tall, result.T)


def test_stretch_fills_the_shape() -> None:
    wide = np.full((100, 200), 200, np.uint8)
    stretched = prepare(wide, None, SHAPE, Preparation(fit="stretch"), invert=False)
    np.testing.assert_array_equal(stretched, np.full(SHAPE, 200))


def test_a_large_picture_is_shrunk_to_the_means_of_its_squares() -> None:
    random = np.random.default_rng(2)
    large = random.integers(0, 100, (56, 56)).astype(np.uint8)
    means = large.reshape(28, 2, 28, 2).mean(axis=(1, 3))
    # Pillow rounds after the rows and after the columns.
    np.testing.assert_allclose(prepared(large, invert=False).astype(int), means, atol=1.0)


@pytest.mark.parametrize("background", [0, 255])
def test_what_is_transparent_becomes_the_background_of_the_training(background: int) -> None:
    trained_on = IMAGES[2] if background == 0 else 255 - IMAGES[2]
    alpha = np.where(IMAGES[2] > 0, 255, 0).astype(np.uint8)
    result = prepare(trained_on, alpha, SHAPE, Preparation(background=background))
    np.testing.assert_array_equal(result, trained_on)


def test_a_white_shape_of_varying_opacity_is_bright_where_it_is_opaque() -> None:
    result = prepare(np.full(SHAPE, 255, np.uint8), IMAGES[3], SHAPE, DEFAULT)
    np.testing.assert_array_equal(result, IMAGES[3])


def test_a_black_shape_on_nothing_is_seen_too() -> None:
    result = prepare(np.zeros(SHAPE, np.uint8), IMAGES[3], SHAPE, DEFAULT)
    np.testing.assert_array_equal(result, IMAGES[3])


def test_a_model_of_bright_backgrounds_gets_bright_backgrounds() -> None:
    dark_on_white = 255 - IMAGES
    preparation = Preparation.of_images(dark_on_white)
    assert preparation.background == 255
    for image in dark_on_white[:5]:
        np.testing.assert_array_equal(prepare(image, None, SHAPE, preparation), image)
        np.testing.assert_array_equal(prepare(255 - image, None, SHAPE, preparation), image)
    assert Preparation.of_images(IMAGES) == DEFAULT


def test_a_preparation_travels_in_a_manifest_and_one_of_before_is_the_default() -> None:
    preparation = Preparation(fit="stretch", background=255, match_background=False)
    assert Preparation.from_manifest(preparation.to_manifest()) == preparation
    assert Preparation.from_manifest({}) == DEFAULT
    assert Preparation.from_manifest({**preparation.to_manifest(), "of a later version": 1}) == preparation


@pytest.mark.parametrize("shape", [(1, 1), (1, 500), (500, 1), (3, 28), (28, 3)])
def test_a_picture_of_any_proportions_becomes_an_example(shape: tuple[int, int]) -> None:
    pixels = np.random.default_rng(3).integers(0, 256, shape, dtype=np.uint8)
    assert prepared(pixels).shape == SHAPE


def test_the_background_of_training_images_is_what_most_of_their_borders_are_nearer_to() -> None:
    for level, background in ((0, 0), (127, 0), (128, 255), (255, 255)):
        images = np.full((3, 4, 5), 200 if level < 128 else 50, np.uint8)
        images[:, [0, -1], :] = images[:, :, [0, -1]] = level
        assert Preparation.of_images(images).background == background
    assert Preparation.of_images(np.zeros((0, 4, 5), np.uint8)).background == 0
    many = np.concatenate((np.zeros((1000, 2, 2), np.uint8), np.full((5000, 2, 2), 255, np.uint8)))
    assert Preparation.of_images(many).background == 0, "the first thousand tell"


def test_the_border_is_the_four_edges() -> None:
    pixels = np.arange(12, dtype=np.uint8).reshape(3, 4)
    assert border(pixels).tolist() == [0, 1, 2, 3, 8, 9, 10, 11, 0, 4, 8, 3, 7, 11]


def test_a_picture_of_another_size_is_scaled_into_the_middle() -> None:
    bright = np.full((4, 8), 255, np.uint8)
    result = prepare(bright, None, (6, 6), DEFAULT, invert=False)
    expected = np.zeros((6, 6), np.uint8)
    expected[1:4] = 255  # three rows of six: one row of background above, two below
    np.testing.assert_array_equal(result, expected)
    np.testing.assert_array_equal(prepare(bright.T, None, (6, 6), DEFAULT, invert=False), expected.T)
    dark = Preparation(background=255)
    np.testing.assert_array_equal(prepare(255 - bright, None, (6, 6), dark, invert=False), 255 - expected)
    tall = prepare(np.full((6, 3), 255, np.uint8), None, (4, 8), DEFAULT, invert=False)
    np.testing.assert_array_equal(np.flatnonzero(tall[0]), [3, 4])


def test_a_thin_picture_keeps_at_least_one_pixel() -> None:
    line = np.full((1, 300), 255, np.uint8)
    result = prepare(line, None, (6, 6), DEFAULT, invert=False)
    assert [row.tolist() for row in result] == [[0] * 6, [0] * 6, [255] * 6, [0] * 6, [0] * 6, [0] * 6]


def test_a_picture_is_laid_on_the_background_by_its_opacity() -> None:
    grey = np.array([[200, 200, 200, 200]], np.uint8)
    alpha = np.array([[0, 51, 102, 255]], np.uint8)
    assert flatten(grey, alpha, 0).tolist() == [[0, 40, 80, 200]]
    assert flatten(grey, alpha, 255).tolist() == [[255, 244, 233, 200]]


@pytest.mark.parametrize(("level", "ground"), [(0, 255), (15, 255), (16, 0), (17, 0)])
def test_what_could_not_be_seen_on_the_background_is_laid_on_the_opposite_one(level: int, ground: int) -> None:
    grey, alpha = np.full((2, 2), level, np.uint8), np.array([[255, 255], [255, 0]], np.uint8)
    assert flatten(grey, alpha, 0).tolist() == [[level, level], [level, ground]]
    assert flatten(255 - grey, alpha, 255).tolist() == [[255 - level, 255 - level], [255 - level, 255 - ground]]


def test_the_contrast_is_that_of_the_opaque_pixels() -> None:
    grey = np.array([[0, 255, 255, 255]], np.uint8)
    alpha = np.array([[255, 0, 0, 0]], np.uint8)
    assert flatten(grey, alpha, 0).tolist() == [[0, 255, 255, 255]]
    whole = np.full((1, 4), 255, np.uint8)
    assert flatten(np.zeros((1, 4), np.uint8), whole, 0).tolist() == [[0] * 4], "nothing shines through"
    nothing = np.zeros((1, 4), np.uint8)
    assert flatten(np.full((1, 4), 90, np.uint8), nothing, 0).tolist() == [[255] * 4]


def plain(level: int, thing: int, size: int = 10) -> NDArray[np.uint8]:
    """A plain picture with a thing in its middle."""
    pixels = np.full((size, size), level, np.uint8)
    pixels[3:7, 3:7] = thing
    return pixels


@pytest.mark.parametrize(
    ("level", "thing", "expected"),
    [
        (0, 200, (0, 200)),  # black already
        (24, 200, (24, 200)),  # nearly black
        (25, 255, (0, 255)),  # grey: what is brighter is stretched to white
        (25, 117, (0, 102)),
        (55, 135, (0, 102)),
        (100, 0, (0, 255)),  # what is darker is turned round
        (100, 50, (0, 128)),
        (255, 0, (0, 255)),
        (204, 102, (0, 128)),
    ],
)
def test_a_plain_background_becomes_black_and_the_thing_on_it_bright(
    level: int, thing: int, expected: tuple[int, int]
) -> None:
    found = match_background(plain(level, thing), 0)
    assert found.dtype == np.uint8
    assert (int(found[0, 0]), int(found[5, 5])) == expected
    np.testing.assert_array_equal(found, plain(*expected))
    white = match_background(255 - plain(level, thing), 255)
    np.testing.assert_array_equal(white, 255 - plain(*expected))


def test_a_thing_of_both_sides_is_what_most_of_it_is() -> None:
    pixels = plain(100, 130)
    pixels[3, 3] = 0
    found = match_background(pixels, 0)
    assert (int(found[0, 0]), int(found[3, 3]), int(found[5, 5])) == (0, 0, 49)
    pixels[3, 3:7] = pixels[4, 3:7] = 0
    found = match_background(pixels, 0)
    assert (int(found[0, 0]), int(found[3, 3]), int(found[5, 5])) == (0, 255, 0)


@pytest.mark.parametrize(("others", "is_plain"), [(8, True), (9, False)])
def test_a_background_is_plain_where_most_of_the_border_is_alike(others: int, is_plain: bool) -> None:
    # The border of 6 by 6 pixels is read as 24, the corners twice: 9 others leave 62.5 % alike, 10 leave 58.3 %.
    pixels = np.full((6, 6), 200, np.uint8)
    pixels[2:4, 2:4] = 100
    places = [(0, 1), (0, 2), (0, 3), (0, 4), (5, 1), (5, 2), (5, 3), (5, 4), (1, 0)][:others]
    for place in places:
        pixels[place] = 150
    pixels[2, 0] = 150
    assert (match_background(pixels, 0)[0, 0] == 0) == is_plain


@pytest.mark.parametrize(("difference", "is_plain"), [(24, True), (25, False)])
def test_shade_and_compression_do_not_make_a_background_less_plain(difference: int, is_plain: bool) -> None:
    pixels = plain(200, 0)
    pixels[0] = pixels[-1, :5] = 200 - difference
    # with three corners that count twice these are 18 of 40: without them too few are alike
    assert (match_background(pixels, 0)[5, 0] == 0) == is_plain


@pytest.mark.parametrize(("level", "turned"), [(127, False), (128, True)])
def test_a_busy_picture_is_turned_round_where_its_border_is_brighter_than_the_middle(level: int, turned: bool) -> None:
    pixels = np.full((9, 9), 60, np.uint8)
    edge = [0, 255] * 9 + [level] * 14
    places = [(0, c) for c in range(9)] + [(8, c) for c in range(9)]
    places += [(r, c) for r in range(1, 8) for c in (0, 8)]
    for (row, column), value in zip(places, edge, strict=True):
        pixels[row, column] = value
    expected = 255 - pixels if turned else pixels
    np.testing.assert_array_equal(match_background(pixels, 0), expected)


def test_background_is_cut_off_both_ends_or_one_where_the_thing_is_there() -> None:
    pixels = np.zeros((12, 4), np.uint8)
    pixels[5:7] = 200
    assert np.flatnonzero(cut_background(pixels, (1, 1), 0).any(axis=1)).tolist() == [1, 2]
    assert cut_background(pixels, (1, 1), 0).shape == (4, 4)
    for first, expected in ((0, [0, 1]), (10, [2, 3]), (2, [1, 2])):
        moved = np.zeros((12, 4), np.uint8)
        moved[first : first + 2] = 200
        found = cut_background(moved, (1, 1), 0)
        assert found.shape == (4, 4)
        assert np.flatnonzero(found.any(axis=1)).tolist() == expected
        np.testing.assert_array_equal(cut_background(moved.T, (1, 1), 0), found.T)
        np.testing.assert_array_equal(cut_background(255 - moved, (1, 1), 255), 255 - found)


def test_a_thing_longer_than_the_shape_is_not_cut() -> None:
    pixels = np.zeros((12, 4), np.uint8)
    pixels[1:8] = 200
    found = cut_background(pixels, (1, 1), 0)
    assert found.shape == (7, 4)
    assert found.all()
    np.testing.assert_array_equal(cut_background(pixels.T, (1, 1), 0), found.T)


@pytest.mark.parametrize(("difference", "length"), [(24, 4), (25, 12)])
def test_what_differs_little_from_the_background_is_background(difference: int, length: int) -> None:
    pixels = np.zeros((12, 4), np.uint8)
    pixels[0, 0] = pixels[-1, -1] = difference
    assert cut_background(pixels, (1, 1), 0).shape == (length, 4)
    assert cut_background(255 - pixels, (1, 1), 255).shape == (length, 4)


def test_an_empty_picture_is_cut_in_its_middle_to_the_proportions_of_the_shape() -> None:
    tall = np.arange(12, dtype=np.uint8).repeat(4).reshape(12, 4)  # nothing differs by more than shade does
    assert cut_background(tall, (1, 1), 0)[:, 0].tolist() == [4, 5, 6, 7]
    assert cut_background(tall, (2, 1), 0)[:, 0].tolist() == [2, 3, 4, 5, 6, 7, 8, 9]
    assert cut_background(tall.T, (1, 2), 0)[0].tolist() == [2, 3, 4, 5, 6, 7, 8, 9]
    assert cut_background(tall, (3, 1), 0).shape == (12, 4)
    assert cut_background(tall[:4], (1, 1), 0).shape == (4, 4)


def test_opacity_between_whole_shares_is_rounded() -> None:
    grey, alpha = np.array([[200, 20]], np.uint8), np.array([[100, 255]], np.uint8)
    assert flatten(grey, alpha, 0).tolist() == [[78, 20]]


def test_one_opaque_pixel_is_enough_to_be_seen() -> None:
    assert flatten(np.array([[20, 0]], np.uint8), np.array([[255, 0]], np.uint8), 0).tolist() == [[20, 0]]


@pytest.mark.parametrize("fit", ["pad", "stretch"])
def test_an_example_is_of_bytes(fit: str) -> None:
    preparation = Preparation(fit=fit)  # type: ignore[arg-type]  # both are ways to fit
    assert prepare(np.full((4, 8), 255, np.uint8), None, (6, 6), preparation).dtype == np.uint8


@pytest.mark.parametrize(("near", "matches"), [(3, True), (2, False)])
def test_backgrounds_are_matched_where_three_of_five_training_images_have_a_plain_one(near: int, matches: bool) -> None:
    images = np.full((5, 4, 4), 25, np.uint8)  # farther from black than shade is
    images[:near] = 24
    assert Preparation.of_images(images) == Preparation(match_background=matches)
    assert Preparation.of_images(255 - images) == Preparation(background=255, match_background=matches)
    assert Preparation.of_images(images[:0]) == DEFAULT


@pytest.mark.parametrize(("level", "background"), [(127, 0), (128, 255)])
def test_training_images_in_colour_are_taken_for_photographs(level: int, background: int) -> None:
    images = np.full((2, 3, 20, 16), 255 - level, np.uint8)
    images[:, :, [0, -1]] = images[..., [0, -1]] = level
    assert Preparation.of_images(images) == Preparation("rgb", "crop", background, match_background=False)
    assert Preparation.of_images(images[:0]) == Preparation("rgb", "crop", 0, match_background=False)


@pytest.mark.parametrize(
    ("size", "shape", "rows", "columns"),
    [
        ((4, 9), (1, 1), (0, 4), (2, 6)),
        ((4, 9), (2, 3), (0, 4), (1, 7)),
        ((9, 9), (2, 3), (1, 7), (0, 9)),
        ((6, 6), (5, 5), (0, 6), (0, 6)),
        ((1, 300), (2, 1), (0, 1), (149, 150)),  # half a column is one
    ],
)
def test_the_middle_is_the_largest_part_of_the_proportions_of_the_shape(
    size: tuple[int, int], shape: tuple[int, int], rows: tuple[int, int], columns: tuple[int, int]
) -> None:
    pixels = np.arange(size[0] * size[1] * 3).reshape(*size, 3).astype(np.uint8)
    expected = pixels[slice(*rows), slice(*columns)]
    np.testing.assert_array_equal(crop_middle(pixels, shape), expected)
    np.testing.assert_array_equal(crop_middle(pixels[..., 0], shape), expected[..., 0])
    turned = crop_middle(pixels.transpose(1, 0, 2), (shape[1], shape[0]))
    np.testing.assert_array_equal(turned, expected.transpose(1, 0, 2))


def test_a_photograph_becomes_three_channels_of_its_middle() -> None:
    small = np.random.default_rng(4).integers(0, 256, (5, 6, 3), dtype=np.uint8)
    photograph = np.zeros((10, 30, 3), np.uint8)
    photograph[:, 9:21] = small.repeat(2, axis=0).repeat(2, axis=1)
    example = prepare(photograph, None, (5, 6), Preparation("rgb", "crop", match_background=False))
    np.testing.assert_array_equal(example, small.transpose(2, 0, 1))
    assert example.flags.c_contiguous
    grey = prepare(photograph[..., 1], None, (5, 6), Preparation(fit="crop", match_background=False))
    np.testing.assert_array_equal(grey, small[..., 1])


def test_in_colour_a_long_picture_is_padded_whatever_its_background_is() -> None:
    wide = np.zeros((4, 8, 3), np.uint8)
    wide[:, 2:6] = (10, 20, 30)
    example = prepare(wide, None, (4, 8), Preparation("rgb", background=255))
    np.testing.assert_array_equal(example, wide.transpose(2, 0, 1))
    padded = prepare(wide, None, (8, 8), Preparation("rgb", background=255))
    assert padded.shape == (3, 8, 8)
    np.testing.assert_array_equal(padded[:, 2:6], wide.transpose(2, 0, 1))
    assert (padded[:, [0, 1, 6, 7]] == 255).all()


def test_dark_and_bright_are_exchanged_in_colour_only_where_somebody_says_so() -> None:
    bright = np.full((6, 6, 3), 250, np.uint8)
    np.testing.assert_array_equal(prepare(bright, None, (6, 6), Preparation("rgb")), np.full((3, 6, 6), 250))
    exchanged = prepare(bright, None, (6, 6), Preparation("rgb"), invert=True)
    np.testing.assert_array_equal(exchanged, np.full((3, 6, 6), 5))


def test_a_grey_picture_keeps_its_background_where_the_preparation_does_not_match_it() -> None:
    bright = 255 - IMAGES[0]
    np.testing.assert_array_equal(prepare(bright, None, SHAPE, Preparation(match_background=False)), bright)


@pytest.mark.parametrize(("second", "ground"), [(11, 255), (12, 0)])
def test_in_colour_the_contrast_is_that_of_the_channel_that_differs_most(second: int, ground: int) -> None:
    # 20 and 11 differ from black by 15.5 on average, 20 and 12 by 16
    colours = np.array([[[1, 0, 20], [second, 0, 2], [0, 0, 0]]], np.uint8)
    alpha = np.array([[255, 255, 0]], np.uint8)
    expected = [[[1, 0, 20], [second, 0, 2], [ground] * 3]]
    assert flatten(colours, alpha, 0).tolist() == expected
    assert flatten(255 - colours, alpha, 255).tolist() == (255 - np.array(expected)).tolist()


def test_colours_are_laid_on_the_background_by_their_opacity() -> None:
    colours, alpha = np.array([[[100, 50, 0], [10, 200, 30]]], np.uint8), np.array([[51, 255]], np.uint8)
    assert flatten(colours, alpha, 0).tolist() == [[[20, 10, 0], [10, 200, 30]]]
    assert flatten(colours, alpha, 255).tolist() == [[[224, 214, 204], [10, 200, 30]]]


def test_a_picture_is_laid_on_its_background_strip_by_strip() -> None:
    rng = np.random.default_rng(3)
    pixels = rng.integers(0, 256, (700, 40, 3)).astype(np.uint8)
    alpha = rng.integers(0, 256, (700, 40)).astype(np.uint8)
    for seen, ground in ((pixels, 255), (250 + pixels // 64, 0)):
        opacity = (alpha.astype(np.float32) / 255)[..., None]
        expected = np.rint(seen * opacity + ground * (1 - opacity)).astype(np.uint8)
        np.testing.assert_array_equal(flatten(seen, alpha, 255), expected)
