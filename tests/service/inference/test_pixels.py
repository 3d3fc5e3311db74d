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


def refusal(body: dict[str, object], shape: tuple[int, int] = (2, 3), limit: int = 4) -> str:
    with pytest.raises(InvalidInput) as refused:
        parse_pixels(body, shape, limit)
    return str(refused.value)


ROWS = [[0, 10, 20], [30, 40, 255]]


@pytest.mark.parametrize(
    "value",
    [None, 3, "rows", {}, [], [[]], [1, 2, 3], [[]] * 2, [[[ROWS]]], [[[[9]]]], [[], ROWS], [None]],
)
def test_what_is_no_list_of_images_is_refused(value: object) -> None:
    where = "every image must be 2 rows of 3 numbers"
    nested = "pixels must be rows of numbers for one image, or a list of such images; " + where
    assert refusal({"pixels": value}) in (nested, where)
    assert refusal({}) == nested


@pytest.mark.parametrize(
    "images",
    [
        [ROWS, ROWS[:1]],
        [ROWS, [*ROWS, ROWS[0]]],
        [ROWS, "ab"],
        [ROWS, [[1, 2, 3], [1, 2]]],
        [ROWS, [[1, 2, 3], [1, 2, 3, 4]]],
        [ROWS, [[1, 2, 3], "abc"]],
        [[ROWS[0]], ROWS],
    ],
)
def test_an_image_of_another_shape_is_refused_wherever_it_stands(images: object) -> None:
    assert refusal({"pixels": images}) == "every image must be 2 rows of 3 numbers"


def test_up_to_the_limit_images_are_taken() -> None:
    assert parse_pixels({"pixels": [ROWS] * 4}, (2, 3), 4).shape == (4, 2, 3)
    assert parse_pixels({"pixels": ROWS}, (2, 3), 1).shape == (1, 2, 3)
    assert refusal({"pixels": [ROWS] * 5}) == "pixels may hold 1 to 4 images, got 5"


def test_images_of_one_row_or_one_column_are_images_too() -> None:
    np.testing.assert_array_equal(parse_pixels({"pixels": [[7, 0, 9]]}, (1, 3), 4), [[[7, 0, 9]]])
    np.testing.assert_array_equal(parse_pixels({"pixels": [[[7], [8]]]}, (2, 1), 4), [[[7], [8]]])


@pytest.mark.parametrize("scale", [0, -1, 65_535.5, "1", True, float("nan")])
def test_a_scale_that_cannot_be_is_refused_with_those_that_can(scale: object) -> None:
    message = refusal({"pixels": ROWS, "scale": scale})
    assert message == "scale must be the number that stands for white, in (0, 65,535]"


@pytest.mark.parametrize(
    ("value", "scale", "span"),
    [
        (256, None, "255"),
        (-1, None, "255"),
        (255.5, None, "255"),
        (-0.5, None, "255"),
        ("7", None, "255"),
        (None, None, "255"),
        ([1], None, "255"),
        (float("nan"), None, "255"),
        (10**400, None, "255"),
        (1.5, 1, "1"),
        (-0.5, 1, "1"),
        (True, 1, "1"),
        (float("nan"), 1, "1"),
        (10**400, 1, "1"),
        (101, 100, "100"),
    ],
)
def test_a_pixel_that_is_no_number_of_the_scale_is_refused(value: object, scale: object, span: str) -> None:
    body = {"pixels": [[0, 1, 0], [0, 0, value]], **({} if scale is None else {"scale": scale})}
    assert refusal(body) == f"pixels must be numbers in [0, {span}]"


def test_both_ends_of_a_scale_belong_to_it() -> None:
    for scale in (1, 0.5, 100, 255, 65_535):
        found = parse_pixels({"pixels": [[0, scale, scale / 4]], "scale": scale}, (1, 3), 1)
        np.testing.assert_array_equal(found, [[[0, 255, 64]]])  # 63.75
        assert found.dtype == np.uint8


def test_a_dim_image_is_found_among_bright_ones() -> None:
    bright, dim, rounded = ROWS, [[0, 1, 0], [0, 0, 1]], [[0, 1.4, 0], [0, 0, 0]]
    scale = 'pixels are numbers from 0 to 255, and none of these is above 1: multiply them by 255, or send "scale": 1 '
    for images in ([dim], [bright, dim], [dim, bright], [bright, bright, [[0, 0, 0], [0, 0, 0.2]]]):
        assert refusal({"pixels": images}) == scale + "with them"
    for images in ([bright, rounded], [rounded, bright], [[[0, 0, 0]] * 2, bright], [[[0, 0, 0], [0, 0, 2]]]):
        assert parse_pixels({"pixels": images}, (2, 3), 4).shape == (len(images), 2, 3)


def test_a_tensor_may_leave_its_scale_by_a_rounding_and_no_more() -> None:
    inside = np.array([[[[-1e-6, 1 + 9e-7]]]], np.float32)
    check_tensor(inside)
    for number in (-3e-6, 1 + 3e-6, np.inf, np.nan):
        with pytest.raises(InvalidInput) as refused:
            check_tensor(np.array([[[[0.5, number]]]], np.float32))
        assert str(refused.value) == "pixels of datatype FP32 are finite numbers in [0, 1]: divide bytes by 255"
    check_tensor(np.array([[[[0, 2]]], [[[0, 0]]]], np.uint8))
    with pytest.raises(InvalidInput) as refused:
        check_tensor(np.array([[[[0, 2]]], [[[0, 1]]]], np.uint8))
    assert str(refused.value) == "pixels of datatype UINT8 are 0 to 255, and an image here has 0 and 1 only"


def test_every_byte_is_told_from_its_float_and_nothing_else_is() -> None:
    every = (np.arange(256, dtype=np.float32) / np.float32(255)).reshape(1, 1, 16, 16)
    found = to_whole_bytes(every)
    assert found is not None
    assert found.dtype == np.uint8
    np.testing.assert_array_equal(found.ravel(), np.arange(256))
    for number in (-1 / 255, 256 / 255, 0.5 / 255, 1.00001 / 255 + 2e-6):
        wrong = every.copy()
        wrong[0, 0, 0, 0] = number
        assert to_whole_bytes(wrong) is None


def test_one_channel_is_the_image_and_more_stay_and_both_are_rounded_to_bytes() -> None:
    x_nchw = np.array([[[[0.0, 0.5]], [[1.0, 1.0]]]], np.float32)
    np.testing.assert_array_equal(to_images(x_nchw), [[[[0, 128]], [[255, 255]]]])
    images = to_images(x_nchw[:, :1])
    np.testing.assert_array_equal(images, [[[0, 128]]])
    assert images.dtype == np.uint8
    whole = np.array([[[[0, 7]], [[9, 9]]]], np.uint8)
    np.testing.assert_array_equal(to_images(whole), whole)
