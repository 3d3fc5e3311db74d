"""Images as numbers: what is taken, and what is on another scale than it is said to be."""

import numpy as np
import pytest

from service.errors import InvalidInput
from service.inference.pixels import check_tensor, parse_pixels, to_images, to_whole_bytes
from tests.garments import garments

IMAGES = garments(3)
SHAPE = (28, 28)


def parse(pixels: np.ndarray, **body: object) -> np.ndarray:
    return parse_pixels({"pixels": pixels.tolist(), **body}, SHAPE, 10)


def test_bytes_are_taken_as_they_are() -> None:
    np.testing.assert_array_equal(parse(IMAGES), IMAGES)
    np.testing.assert_array_equal(parse(IMAGES[0]), IMAGES[:1])
    np.testing.assert_array_equal(parse(IMAGES.astype(float)), IMAGES)


def test_numbers_between_bytes_are_rounded() -> None:
    pixels = IMAGES.astype(float)
    pixels[pixels > 1] -= 0.4
    np.testing.assert_array_equal(parse(pixels), IMAGES)


@pytest.mark.parametrize("scale", [1, 1.0, 100, 65_535])
def test_numbers_on_another_scale_are_taken_where_it_is_said(scale: float) -> None:
    np.testing.assert_array_equal(parse(IMAGES * (scale / 255), scale=scale), IMAGES)


@pytest.mark.parametrize("image", [IMAGES[0] / 255, np.round(IMAGES[0] / 255), (IMAGES[0] > 99).astype(int)],
                         ids=["floats", "floats of 0 and 1", "0 and 1"])  # fmt: skip
def test_numbers_that_look_like_another_scale_are_refused_until_it_is_said(image: np.ndarray) -> None:
    for sent in (image, np.stack((IMAGES[1].astype(float), image))):
        with pytest.raises(InvalidInput, match='send "scale": 1'):
            parse(sent)
    assert parse(image, scale=1).max() > 100
    assert parse(image, scale=255).max() <= 1


def test_black_is_black_on_any_scale() -> None:
    assert parse(np.zeros(SHAPE)).max() == 0


@pytest.mark.parametrize("scale", [0, -1, 65_536, "1", True, [1], float("inf")])
def test_a_scale_that_cannot_be_is_refused(scale: object) -> None:
    with pytest.raises(InvalidInput, match="scale must be"):
        parse(IMAGES, scale=scale)


@pytest.mark.parametrize(("value", "scale"), [(256, None), (-1, None), (1.5, 1), (10**400, None), (10**400, 1)])
def test_numbers_outside_of_the_scale_are_refused(value: float, scale: float | None) -> None:
    rows = IMAGES[0].tolist()
    rows[3][4] = value
    body = {"pixels": rows} if scale is None else {"pixels": rows, "scale": scale}
    with pytest.raises(InvalidInput, match=r"numbers in \[0, "):
        parse_pixels(body, SHAPE, 10)


def test_a_tensor_keeps_to_the_scale_of_its_datatype() -> None:
    x_nchw = IMAGES[:, None]
    check_tensor(x_nchw)
    check_tensor(x_nchw / np.float32(255))
    check_tensor(np.zeros_like(x_nchw))
    x = x_nchw / np.float32(x_nchw.max())
    for wrong in (x_nchw.astype(np.float32), x * np.float32(1.01), x - np.float32(0.01)):
        with pytest.raises(InvalidInput, match="FP32 are finite numbers in"):
            check_tensor(wrong)
    with pytest.raises(InvalidInput, match="FP32"):
        check_tensor(np.full((1, 1, 28, 28), np.nan, np.float32))
    with pytest.raises(InvalidInput, match="UINT8 are 0 to 255"):
        check_tensor(np.concatenate((x_nchw, (x_nchw > 99).astype(np.uint8))))


def test_floats_that_were_bytes_become_them_again() -> None:
    x_nchw = IMAGES[:, None] / np.float32(255)
    np.testing.assert_array_equal(to_whole_bytes(x_nchw), IMAGES[:, None])
    np.testing.assert_array_equal(to_images(x_nchw), IMAGES)
    assert to_whole_bytes(x_nchw * np.float32(0.999)) is None
