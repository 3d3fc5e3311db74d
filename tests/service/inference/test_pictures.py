"""Picture files of every kind that is read, written by Pillow, and what can't be read."""

from collections.abc import Callable
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from PIL import Image

from service.data import decoding as pictures
from service.data.decoding import FORMATS, MAX_PIXELS, MEDIA_TYPES, decode
from service.data.preparation import Preparation, prepare
from service.errors import InvalidInput
from service.inference.pictures import read_picture, read_pictures
from tests.garments import garments

IMAGE = garments(1)[0]
ORIENTATION = 0x0112


def file_of(image: Image.Image, form: str = "PNG", **options: Any) -> bytes:
    stream = BytesIO()
    image.save(stream, form, **options)
    return stream.getvalue()


def grey(content: bytes) -> np.ndarray:
    return decode(content)[0]


LOSSLESS = [
    ("PNG", {}),
    ("GIF", {}),
    ("BMP", {}),
    ("TIFF", {}),
    ("TIFF", {"compression": "tiff_lzw"}),
    ("WEBP", {"lossless": True}),
]


@pytest.mark.parametrize(("form", "options"), LOSSLESS)
def test_a_format_without_losses_gives_every_byte(form: str, options: dict[str, Any]) -> None:
    np.testing.assert_array_equal(grey(file_of(Image.fromarray(IMAGE), form, **options)), IMAGE)


def test_a_jpeg_gives_about_the_bytes() -> None:
    found = grey(file_of(Image.fromarray(IMAGE), "JPEG", quality=95)).astype(int)
    assert np.abs(found - IMAGE).mean() < 4  # what quality 95 costs sharp edges of 28 pixels


@pytest.mark.parametrize("form", ["PNG", "TIFF"])
def test_sixteen_bits_are_scaled(form: str) -> None:
    deep = IMAGE.astype(np.uint16) * 257
    np.testing.assert_array_equal(grey(file_of(Image.fromarray(deep), form)), IMAGE)
    nearest = np.array([[0, 128, 129, 65_535]], np.uint16)
    np.testing.assert_array_equal(grey(file_of(Image.fromarray(nearest), form)), [[0, 0, 1, 255]])


@pytest.mark.parametrize("mode", ["I", "F"])
def test_pixels_of_32_bits_are_refused(mode: str) -> None:
    with pytest.raises(InvalidInput, match="32 bits"):
        decode(file_of(Image.fromarray(IMAGE).convert(mode), "TIFF"))


TURNED = {
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.T,
    6: lambda a: np.rot90(a, 1),
    7: lambda a: a[::-1, ::-1].T,
    8: lambda a: np.rot90(a, -1),
}
"""By EXIF orientation: how the sensor's rows lie for a camera that was held so (EXIF 2.3, table of Orientation)."""


@pytest.mark.parametrize("orientation", TURNED)
@pytest.mark.parametrize("form", ["PNG", "WEBP", "TIFF"])
def test_a_picture_stands_as_the_camera_was_held(orientation: int, form: str) -> None:
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    stored = Image.fromarray(np.ascontiguousarray(TURNED[orientation](IMAGE)))
    options = {"lossless": True} if form == "WEBP" else {}
    np.testing.assert_array_equal(grey(file_of(stored, form, exif=exif, **options)), IMAGE)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "LA", "P", "CMYK"])
def test_colours_become_grey(mode: str) -> None:
    form = "TIFF" if mode == "CMYK" else "PNG"
    pixels, alpha = decode(file_of(Image.fromarray(IMAGE).convert(mode), form))
    np.testing.assert_array_equal(pixels, IMAGE)
    assert alpha is None or (alpha == 255).all()
    colour = Image.new("RGB", (1, 1), (255, 128, 0))
    assert grey(file_of(colour)) == round(0.299 * 255 + 0.587 * 128)  # ITU-R 601


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_transparency_is_told_from_pixels(mode: str) -> None:
    whole = Image.fromarray(IMAGE).convert("P") if mode == "P" else Image.fromarray(IMAGE).convert(mode)
    options: dict[str, Any] = {}
    if mode == "P":
        options["transparency"] = int(np.asarray(whole)[0, 0])
    else:
        whole.putalpha(Image.fromarray(np.where(IMAGE > 0, 255, 0).astype(np.uint8)))
    _, alpha = decode(file_of(whole, **options))
    assert alpha is not None
    np.testing.assert_array_equal(alpha, np.where(IMAGE > 0, 255, 0))


def test_the_first_picture_of_an_animation_is_read() -> None:
    frames = [Image.fromarray(IMAGE), Image.fromarray(255 - IMAGE)]
    np.testing.assert_array_equal(grey(file_of(frames[0], "GIF", save_all=True, append_images=frames[1:])), IMAGE)


def test_a_photo_may_be_wider_than_4096() -> None:
    wide = Image.new("L", (9000, 3000))
    wide.paste(Image.fromarray(IMAGE).resize((2800, 2800), Image.Resampling.BOX), (3000, 100))
    example = read_picture(file_of(wide), (28, 28), Preparation())
    assert np.abs(example.astype(int) - IMAGE).mean() < 12  # its margins are a little wider


def test_a_number_of_pixels_is_the_limit_for_all_pictures_together() -> None:
    half = file_of(Image.new("L", (4096, 2 * 4096 + 1)))
    with pytest.raises(InvalidInput, match=f"at most {MAX_PIXELS:,} pixels in all"):
        read_pictures([half, half], (28, 28), Preparation())
    with pytest.raises(InvalidInput, match="at most"):
        decode(file_of(Image.new("1", (8192, 8193))))


WHOLE = {form: file_of(Image.fromarray(IMAGE), form) for form in FORMATS}
DAMAGED = {
    **{f"half a {form}": content[: len(content) // 2] for form, content in WHOLE.items() if form != "GIF"},
    **{f"{form} behind its first bytes": content[:16] + bytes(200) for form, content in WHOLE.items()},
    "nothing": b"",
    "a text": b"no picture at all",
    "SVG": b"<svg xmlns='http://www.w3.org/2000/svg'/>",
    "PDF": b"%PDF-1.7",
}


@pytest.mark.parametrize("content", DAMAGED.values(), ids=DAMAGED.keys())
def test_what_cannot_be_read_is_refused_in_words_for_people(content: bytes) -> None:
    with pytest.raises(InvalidInput) as refused:
        read_picture(content, (28, 28), Preparation())
    text = str(refused.value)
    assert "\n" not in text
    assert not any(sign in text for sign in ("<", ">", "0x", "BytesIO", "Error"))


def test_every_format_has_a_media_type() -> None:
    assert set(MEDIA_TYPES.values()) == set(FORMATS)


def refusal(call: Callable[[], object]) -> str:
    with pytest.raises(InvalidInput) as refused:
        call()
    return str(refused.value)


def test_as_many_pixels_as_the_limit_says_are_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures, "MAX_PIXELS", 2 * 784)
    one = file_of(Image.fromarray(IMAGE))
    assert read_pictures([one, one], (28, 28), Preparation()).shape == (2, 28, 28)
    more = file_of(Image.new("L", (1, 1)))
    message = "pictures must have at most 1,568 pixels in all"
    assert refusal(lambda: read_pictures([one, one, more], (28, 28), Preparation())) == message
    assert decode(file_of(Image.new("L", (784, 2))))[0].shape == (2, 784)
    assert refusal(lambda: decode(file_of(Image.new("L", (523, 3))))) == message


def test_a_picture_that_pillow_itself_finds_too_large_is_refused_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = file_of(Image.fromarray(IMAGE))
    for limit in (600, 300):  # Pillow warns, and refuses from twice as many on
        monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", limit)
        assert refusal(lambda: decode(whole)) == f"pictures must have at most {MAX_PIXELS:,} pixels in all"


def test_what_is_no_picture_is_told_from_what_is_a_damaged_one() -> None:
    assert refusal(lambda: decode(b"no picture at all")) == (
        "this is not a picture that can be read: it is none of PNG, JPEG, GIF, WEBP, BMP, TIFF"
    )
    whole = file_of(Image.fromarray(IMAGE))
    assert refusal(lambda: decode(whole[: len(whole) // 2])) == (
        "this is not a picture that can be read: it is damaged or cut short"
    )
    deep = file_of(Image.fromarray(IMAGE).convert("I"), "TIFF")
    assert refusal(lambda: decode(deep)) == "the picture has 32 bits a pixel: save it with 8 or 16"


def test_a_format_that_pillow_knows_and_we_do_not_is_no_picture() -> None:
    assert "it is none of PNG" in refusal(lambda: decode(file_of(Image.fromarray(IMAGE), "PPM")))


@pytest.mark.parametrize("preparation", [Preparation(), Preparation(fit="stretch", background=255)])
@pytest.mark.parametrize("invert", [None, False, True])
def test_a_picture_is_prepared_as_it_is_said_to_be(preparation: Preparation, invert: bool | None) -> None:
    wide = np.zeros((14, 40), np.uint8)
    wide[4:10, 5:20] = 200
    content = file_of(Image.fromarray(wide))
    expected = prepare(wide, None, (20, 24), preparation, invert)
    np.testing.assert_array_equal(read_picture(content, (20, 24), preparation, invert), expected)
    both = read_pictures([content, content], (20, 24), preparation, invert)
    np.testing.assert_array_equal(both, [expected, expected])


def test_what_is_transparent_does_not_count() -> None:
    whole = Image.fromarray(np.full((28, 28), 255, np.uint8)).convert("LA")
    whole.putalpha(Image.fromarray(IMAGE))
    np.testing.assert_array_equal(read_picture(file_of(whole), (28, 28), Preparation()), IMAGE)


def test_grey_of_eight_bits_has_its_dtype_and_no_opacity() -> None:
    for image in (Image.fromarray(IMAGE), Image.fromarray(IMAGE.astype(np.uint16) * 257), Image.new("RGB", (3, 2))):
        pixels, alpha = decode(file_of(image))
        assert pixels.dtype == np.uint8
        assert alpha is None
    pixels, alpha = decode(file_of(Image.fromarray(IMAGE).convert("RGBA")))
    assert alpha is not None
    assert pixels.dtype == alpha.dtype == np.uint8


@pytest.mark.parametrize("size", [(0, 3), (3, 0)])
def test_a_picture_without_pixels_is_refused(monkeypatch: pytest.MonkeyPatch, size: tuple[int, int]) -> None:
    # Pillow refuses such files by itself so far.
    monkeypatch.setattr(Image, "open", lambda *_, **__: Image.new("L", size))
    assert refusal(lambda: decode(b"")) == "the picture has no pixels"


def test_one_colour_may_stand_for_transparent() -> None:
    image = Image.new("RGB", (2, 1), (9, 9, 9))
    image.putpixel((0, 0), (1, 2, 3))
    _, alpha = decode(file_of(image, transparency=(1, 2, 3)))
    assert alpha is not None
    assert alpha.tolist() == [[0, 255]]


def test_colours_that_are_multiplied_by_their_opacity_already_are_divided_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # A plugin of Pillow may open a file like that; those of our formats divide by themselves.
    whole = Image.new("RGBA", (1, 1), (200, 200, 200, 51)).convert("RGBa")
    assert whole.getbands()[-1] == "a"
    monkeypatch.setattr(Image, "open", lambda *_, **__: whole)
    pixels, alpha = decode(b"")
    assert alpha is not None
    assert (pixels.tolist(), alpha.tolist()) == ([[200]], [[51]])
