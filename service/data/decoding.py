"""Picture files, decoded within limits: PNG, JPEG, GIF, WebP, BMP and TIFF."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from io import BytesIO
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from service.data.preparation import Grey, Pixels
from service.errors import InvalidInput

FORMATS = ("PNG", "JPEG", "GIF", "WEBP", "BMP", "TIFF")

MEDIA_TYPES = {
    "image/png": "PNG",
    "image/jpeg": "JPEG",
    "image/gif": "GIF",
    "image/webp": "WEBP",
    "image/bmp": "BMP",
    "image/tiff": "TIFF",
}
"""The media types of those formats. What a file is, its first bytes say."""

MAX_PIXELS = 4 * 4096**2
"""Pixels of all pictures of a request: a second or so of decoding."""

SIXTEEN_BITS = 257
"""What a byte is multiplied by to fill 16 bits: 255 becomes 65,535."""


def decode(content: bytes, mode: Literal["grey", "rgb", "auto"] = "grey") -> tuple[Pixels, Grey | None]:
    """The first picture in a file: its pixels, and its opacity (h, w) where not all of it is opaque.

    It stands as the camera held it (EXIF), and 16 bits are scaled to 8.

    Args:
        content: the file.
        mode: `grey` for pixels (h, w), `rgb` for (h, w, 3), `auto` for the second where it has any colour.

    Raises:
        InvalidInput: for what is no picture that can be read, or has more than `MAX_PIXELS`.
    """
    with _errors_as_invalid_input(), _open(content) as image:
        upright = ImageOps.exif_transpose(image)
        if upright.mode.startswith("I;16"):
            deep = np.asarray(upright, np.uint16)
            grey = ((deep.astype(np.uint32) + SIXTEEN_BITS // 2) // SIXTEEN_BITS).astype(np.uint8)
            return (np.stack((grey,) * 3, axis=-1) if mode == "rgb" else grey), None
        if upright.mode in ("I", "F"):
            raise InvalidInput("the picture has 32 bits a pixel: save it with 8 or 16")
        alpha = None
        if "A" in upright.getbands() or "a" in upright.getbands() or "transparency" in upright.info:
            upright = upright.convert("RGBA")
            alpha = np.asarray(upright.getchannel("A"), np.uint8)
        if mode == "grey" or (mode == "auto" and upright.mode in ("1", "L")):
            return np.asarray(upright.convert("L"), np.uint8), alpha
        rgb = np.asarray(upright.convert("RGB"), np.uint8)
        return (rgb if mode == "rgb" or has_colour(rgb) else rgb[..., 0].copy()), alpha


def has_colour(rgb: NDArray[np.uint8]) -> bool:
    """Whether any pixel (…, 3) isn't grey."""
    return bool((rgb[..., 0] != rgb[..., 1]).any() or (rgb[..., 1] != rgb[..., 2]).any())


def check_pixels(contents: Sequence[bytes]) -> None:
    """Raise InvalidInput where picture files have more than `MAX_PIXELS` together; none is decoded for it."""
    if sum(map(_count_pixels, contents)) > MAX_PIXELS:
        raise InvalidInput(f"pictures must have at most {MAX_PIXELS:,} pixels in all")


@contextmanager
def _errors_as_invalid_input() -> Iterator[None]:
    try:
        yield
    except InvalidInput:
        raise
    except UnidentifiedImageError:
        raise InvalidInput(f"this is not a picture that can be read: it is none of {', '.join(FORMATS)}") from None
    except Exception:  # decoders raise what they like on bytes that aren't their own, and name objects of theirs
        raise InvalidInput("this is not a picture that can be read: it is damaged or cut short") from None


def _count_pixels(content: bytes) -> int:
    with _errors_as_invalid_input(), _open(content) as image:
        return image.width * image.height


def _open(content: bytes) -> Image.Image:
    """A picture of which no more than its size has been read. Raises InvalidInput where that is beyond the limit."""
    try:
        image = Image.open(BytesIO(content), formats=FORMATS)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise InvalidInput(f"pictures must have at most {MAX_PIXELS:,} pixels in all") from None
    if image.width * image.height > MAX_PIXELS:
        raise InvalidInput(f"pictures must have at most {MAX_PIXELS:,} pixels in all")
    if not image.width * image.height:
        raise InvalidInput("the picture has no pixels")
    return image
