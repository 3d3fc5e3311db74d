"""Asking a model about an image."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ops.engines import build, choose
from ops.engines.base import Engine, Floats
from ops.layers import Context
from ops.passes import forward
from ops.softmax import softmax
from ops.step_config import StepConfig
from service.errors import InvalidInput
from service.registry import ModelVersion

MAX_SIDE = 4096
"""The widest or highest picture that is looked at, in pixels."""

MOST_PIXELS = 4 * MAX_SIDE**2
"""What several pictures may come to: a second or so of decoding."""

CLOSE = 1e-6
"""A pixel this close to k / 255 is the byte k: a few units in the last place of a float32."""


@dataclass(frozen=True)
class Guess:
    """One class and how probable the model holds it."""

    label: str
    probability: float


class Predictor:
    """A model version ready to answer: its parameters in memory, its engine built."""

    def __init__(self, model: ModelVersion) -> None:
        self.model = model
        self._network = model.build_network()
        self._theta: Floats = model.parameters().copy()
        self._theta.flags.writeable = False
        step_config = StepConfig()
        self._engine: Engine = build(choose(self._network, step_config, device="cpu"), self._network, step_config)

    @cached_property
    def flops(self) -> int:
        """Floating-point operations that one image costs, about."""
        return sum(layer.flops(shape) for layer, shape in zip(self._network.layers, self._network.shapes, strict=False))

    @property
    def input_shape(self) -> tuple[int, ...]:
        """(c, h, w) of one example."""
        return self._network.input_shape

    @property
    def image_shape(self) -> tuple[int, int]:
        """(h, w) of the images that the model was trained on."""
        return self._network.input_shape[1], self._network.input_shape[2]

    def logits(self, images: NDArray[np.uint8]) -> Floats:
        """Logits (n, classes) of images (n, h, w) uint8."""
        return self._engine.predict(self._theta, images)

    def logits_of_floats(self, x_nchw: Floats) -> Floats:
        """Logits (n, classes) of pixels (n, c, h, w) that were divided by 255 already, and need not be whole bytes."""
        logits, _ = forward(self._network, self._network.parameters(self._theta), x_nchw, Context())
        answer: Floats = logits
        return answer

    def guesses(self, images: NDArray[np.uint8], top: int = 3) -> list[list[Guess]]:
        """For each image (n, h, w) its most probable classes, most probable first."""
        return self.ranked(self.logits(images), top)

    def ranked(self, logits: Floats, top: int) -> list[list[Guess]]:
        """For each row of logits its most probable classes, most probable first."""
        probabilities = softmax(logits)
        best = np.argsort(-probabilities, axis=1, kind="stable")[:, :top]
        names = self.model.class_names
        return [[Guess(names[c], float(row[c])) for c in order] for row, order in zip(probabilities, best, strict=True)]


def whole_bytes(x_nchw: Floats) -> NDArray[np.uint8] | None:
    """The bytes that pixels divided by 255 were, or None where some were none."""
    bytes_ = np.rint(x_nchw * np.float32(255))
    whole = (bytes_ >= 0) & (bytes_ <= 255) & (np.abs(bytes_ / np.float32(255) - x_nchw) < CLOSE)
    return bytes_.astype(np.uint8) if whole.all() else None


def picture(content: bytes, shape: tuple[int, int], *, invert: bool | None = None) -> NDArray[np.uint8]:
    """A PNG or JPEG as (h, w) uint8 the way the data set has it: bright on black, of the given shape.

    invert: whether to swap dark and bright; None does so where the picture's border is bright.
    Raises InvalidInput for anything that is not such a picture.
    """
    with _readable(), _opened(content) as image:
        return _made(image, shape, invert)


def pictures(contents: Sequence[bytes], shape: tuple[int, int]) -> NDArray[np.uint8]:
    """Several pictures as (n, h, w) uint8. Raises InvalidInput, also where they have more than `MOST_PIXELS` in all."""
    if sum(map(_pixels, contents)) > MOST_PIXELS:
        raise InvalidInput(f"pictures must have at most {MOST_PIXELS:,} pixels in all")
    return np.stack([picture(content, shape) for content in contents])


@contextmanager
def _readable() -> Iterator[None]:
    try:
        yield
    except InvalidInput:
        raise
    except Exception as error:  # decoders raise what they like on bytes that aren't their own
        raise InvalidInput(f"this is not a PNG or JPEG picture that can be read: {error}") from None


def _pixels(content: bytes) -> int:
    with _readable(), _opened(content) as image:
        return image.width * image.height


def _opened(content: bytes) -> Image.Image:
    """A picture of which no more than its size has been read."""
    image = Image.open(BytesIO(content), formats=("PNG", "JPEG"))
    if max(image.size) > MAX_SIDE:
        raise InvalidInput(f"the picture must be at most {MAX_SIDE} pixels a side, got {image.size}")
    return image


def _made(image: Image.Image, shape: tuple[int, int], invert: bool | None) -> NDArray[np.uint8]:
    if "A" in image.getbands() or "transparency" in image.info:
        opaque = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", opaque.size, "white"), opaque)
    pixels = np.asarray(image.convert("L").resize((shape[1], shape[0]), Image.Resampling.BOX), np.uint8)
    if invert is None:
        border = np.concatenate((pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]))
        invert = bool(np.median(border) > 127)
    return 255 - pixels if invert else pixels
