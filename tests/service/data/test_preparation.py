"""From a picture to an example: each rule, with the array that it must give."""

import numpy as np
import pytest
from numpy.typing import NDArray

from service.data.preparation import Preparation, prepare
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
