"""How a picture becomes an example: the one way for what is learned from and for what is asked about.

A `Preparation` is recorded with a model, so that serving makes of a picture what training made of it. Everything here
is pure; reading files is the business of who calls.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Grey = NDArray[np.uint8]
"""A grey picture (h, w)."""

Pixels = NDArray[np.uint8]
"""A picture as files have it: grey (h, w), or in colour (h, w, 3)."""

NEAR = 24
"""Bytes by which pixels of one plain background may differ: what JPEG makes of it, and a little shade."""

PLAIN_SHARE = 0.6
"""The share of the border that must be near its median for the background to count as plain."""

FAINT_CONTRAST = 16
"""Opaque pixels that differ by less than this from a background can't be seen on it."""

STRIP = 256
"""Rows of a picture that are computed with at a time."""


@dataclass(frozen=True)
class Preparation:
    """How pictures become examples.

    Attributes:
        mode: `grey`: one channel. `rgb`: three.
        fit: `pad`: a picture keeps its proportions, and what is missing is background. Where one side is longer, plain
            background is cut off it instead, if it is grey. `crop`: its middle is taken. `stretch`: it is squeezed into
            the shape.
        background: The byte of the training images' background: 0 is black, 255 white.
        match_background: Whether a plain background of another brightness becomes this one, with dark and bright
            exchanged where the object is on the other side of it. Grey pictures only.
    """

    mode: Literal["grey", "rgb"] = "grey"
    fit: Literal["pad", "crop", "stretch"] = "pad"
    background: int = 0
    match_background: bool = True

    @classmethod
    def of_images(cls, images: NDArray[np.uint8]) -> Self:
        """The preparation for images (n, h, w), or (n, 3, h, w) in colour, of which nothing else is known.

        Their background is black or white, whichever is nearer. In colour they are taken for photographs.
        """
        grey = images.ndim == 3
        edges = [border(image) for image in (images if grey else images.transpose(0, 2, 3, 1))[:1000]]
        background = 255 if np.median(np.concatenate(edges) if edges else np.zeros(1)) > 127 else 0
        if not grey:
            return cls("rgb", "crop", background, match_background=False)
        near = np.mean([abs(float(np.median(edge)) - background) <= NEAR for edge in edges]) if edges else 1.0
        return cls(background=background, match_background=bool(near >= PLAIN_SHARE))

    @classmethod
    def from_manifest(cls, recorded: Mapping[str, Any]) -> Self:
        """What a manifest records; a manifest of before says nothing, and its models know bright things on black."""
        known = {name: recorded[name] for name in cls.__dataclass_fields__ if name in recorded}
        return cls(**known)

    def to_manifest(self) -> dict[str, Any]:
        """The same as plain data."""
        return asdict(self)


def prepare(
    pixels: Pixels, alpha: Grey | None, shape: tuple[int, int], preparation: Preparation, invert: bool | None = None
) -> NDArray[np.uint8]:
    """A picture as an example.

    Args:
        pixels: Its pixels (h, w) or (h, w, 3), as the preparation's mode is, at least one.
        alpha: Its opacity (h, w), 255 for opaque; None where all of it is.
        shape: (h, w) of the example.
        preparation: How.
        invert: Whether to exchange dark and bright; None finds out.

    Returns:
        The example (h, w) or (3, h, w).
    """
    if alpha is not None:
        pixels = flatten(pixels, alpha, preparation.background)
    is_grey = pixels.ndim == 2
    if invert is not None:
        pixels = 255 - pixels if invert else pixels
    elif preparation.match_background and is_grey:
        pixels = match_background(pixels, preparation.background)
    example = _fit(pixels, shape, preparation)
    return example if is_grey else np.ascontiguousarray(example.transpose(2, 0, 1))


def _fit(pixels: Pixels, shape: tuple[int, int], preparation: Preparation) -> Pixels:
    if preparation.fit == "stretch":
        return _resize(pixels, shape)
    if preparation.fit == "crop":
        return _resize(crop_middle(pixels, shape), shape)
    if pixels.ndim == 2:
        pixels = cut_background(pixels, shape, preparation.background)
    scale = min(shape[0] / pixels.shape[0], shape[1] / pixels.shape[1])
    inner = [max(1, round(side * scale)) for side in pixels.shape[:2]]
    example = np.full((*shape, *pixels.shape[2:]), preparation.background, np.uint8)
    top, left = (shape[0] - inner[0]) // 2, (shape[1] - inner[1]) // 2
    example[top : top + inner[0], left : left + inner[1]] = _resize(pixels, (inner[0], inner[1]))
    return example


def crop_middle(pixels: Pixels, shape: tuple[int, int]) -> Pixels:
    """The largest part of a picture around its middle that has the shape's proportions."""
    height, width = pixels.shape[:2]
    tall = min(height, max(1, round(width * shape[0] / shape[1])))
    wide = min(width, max(1, round(height * shape[1] / shape[0])))
    top, left = (height - tall) // 2, (width - wide) // 2
    return pixels[top : top + tall, left : left + wide]


def flatten(pixels: Pixels, alpha: Grey, background: int) -> Pixels:
    """A picture laid on a background; on the opposite one where its opaque pixels couldn't be seen.

    It goes by strips: all of a picture as floats would be many times as large.
    """
    strips = [slice(top, top + STRIP) for top in range(0, len(pixels), STRIP)]
    seen = opaque = 0.0
    for strip in strips:
        opacity = alpha[strip].astype(np.float32) / 255
        difference = np.abs(pixels[strip].astype(np.float32) - background)
        if pixels.ndim == 3:
            difference = difference.max(axis=2)
        seen += float((difference * opacity).sum())
        opaque += float(opacity.sum())
    is_faint = seen / max(opaque, 1.0) < FAINT_CONTRAST
    ground = 255 - background if is_faint and (alpha < 255).any() else background
    flat = np.empty_like(pixels)
    for strip in strips:
        opacity = alpha[strip].astype(np.float32) / 255
        if pixels.ndim == 3:
            opacity = opacity[..., None]
        flat[strip] = np.rint(pixels[strip] * opacity + ground * (1 - opacity))
    return flat


def match_background(pixels: Grey, background: int) -> Grey:
    """A picture whose plain background has become `background` (0 or 255), and what differs from it the other end.

    Whether the object is darker or brighter than its background is what most of it is. A picture without a plain
    background is exchanged as a whole where its border is nearer to the other end.
    """
    ours = pixels if background == 0 else 255 - pixels  # the rest is for a black background
    edge = border(_resize(ours, (min(28, ours.shape[0]), min(28, ours.shape[1]))))
    level = float(np.median(edge))
    is_plain = float((np.abs(edge - level) <= NEAR).mean()) >= PLAIN_SHARE
    if level <= NEAR or (not is_plain and level <= 127):
        return pixels
    if not is_plain:
        return 255 - pixels
    difference = ours.astype(np.float32) - level
    factor = 255 / (255 - level) if difference.sum() > 0 else -255 / level
    result = np.clip(np.rint(difference * factor), 0, 255).astype(np.uint8)
    return result if background == 0 else 255 - result


def cut_background(pixels: Grey, shape: tuple[int, int], background: int) -> Grey:
    """A picture without the plain background at the ends of a side that is too long for the shape.

    What is cut is never more than brings the picture to the shape's proportions, and never a part of the object.
    """
    height, width = pixels.shape
    tall, wide = round(width * shape[0] / shape[1]), round(height * shape[1] / shape[0])
    if height > tall:
        start, stop = _cut(pixels, 1, tall, background)
        return pixels[start:stop]
    if width > wide:
        start, stop = _cut(pixels, 0, wide, background)
        return pixels[:, start:stop]
    return pixels


def border(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The pixels at the edge of a picture (h, w) or (h, w, 3)."""
    return np.concatenate((pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]))


def _cut(pixels: Grey, across: int, length: int, background: int) -> tuple[int, int]:
    """Where to start and to stop so that the object stays, in no less than `length`.

    It is the middle of the picture, as in a training image, if the object lies in there, and else that of the object.
    """
    differs = np.maximum(pixels.max(axis=across), background) - np.minimum(pixels.min(axis=across), background)
    there = np.flatnonzero(differs > NEAR)
    size = pixels.shape[1 - across]
    middle = (size - length) // 2
    first, last = (int(there[0]), int(there[-1]) + 1) if len(there) else (middle, middle + length)
    if middle <= first and last <= middle + length:
        return middle, middle + length
    length = max(length, last - first)
    start = min(max((first + last - length) // 2, 0), size - length)
    return start, start + length


def _resize(pixels: Pixels, shape: tuple[int, int]) -> Pixels:
    """The mean of the pixels that each pixel of the smaller picture covers."""
    if pixels.shape[:2] == shape:
        return pixels
    resized = Image.fromarray(pixels).resize((shape[1], shape[0]), Image.Resampling.BOX)
    return np.asarray(resized, np.uint8)
