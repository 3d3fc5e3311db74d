"""A model version that classifies images."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ops.engines import build, choose
from ops.engines.base import Engine, Floats
from ops.layers import Context
from ops.passes import forward
from ops.softmax import softmax
from ops.step_config import StepConfig
from service.data.preparation import Preparation
from service.data.statistics import ImageCheck, ImageStatistics
from service.inference.pictures import read_pictures
from service.registry import ModelVersion


@dataclass(frozen=True)
class Guess:
    """A class and its probability."""

    label: str
    probability: float


class Predictor:
    """A model version ready to answer: its parameters in memory, its engine built."""

    def __init__(self, model: ModelVersion) -> None:
        self.model = model
        self._network = model.build_network()
        self._preparation = Preparation.from_manifest(model.preparation)
        self._check = ImageCheck(self.input_shape, ImageStatistics.from_manifest(model.statistics))
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

    @property
    def pixel_shape(self) -> tuple[int, ...]:
        """The shape of an image as people have it in lists and arrays: (h, w), or (h, w, 3) in colour."""
        channels = self._network.input_shape[0]
        return self.image_shape if channels == 1 else (*self.image_shape, channels)

    def read_pictures(self, contents: Sequence[bytes]) -> NDArray[np.uint8]:
        """Picture files as images (n, h, w) or (n, 3, h, w), prepared as the model's training images were.

        Raises InvalidInput.
        """
        return read_pictures(contents, self.image_shape, self._preparation)

    def warnings(self, images: NDArray[np.uint8]) -> list[list[str]]:
        """For each image (n, h, w) or (n, 3, h, w) what makes it unlike those that the model was trained on."""
        return self._check.warnings(images)

    def logits(self, images: NDArray[np.uint8]) -> Floats:
        """Logits (n, classes) of images (n, h, w) or (n, c, h, w) uint8."""
        return self._engine.predict(self._theta, images)

    def logits_of_floats(self, x_nchw: Floats) -> Floats:
        """Logits (n, classes) of pixels (n, c, h, w) that were divided by 255 already, and need not be whole bytes."""
        logits, _ = forward(self._network, self._network.parameters(self._theta), x_nchw, Context())
        answer: Floats = logits
        return answer

    def guesses(self, images: NDArray[np.uint8], top: int = 3) -> list[list[Guess]]:
        """For each image (n, h, w) or (n, 3, h, w) its most probable classes, most probable first."""
        return self.ranked(self.logits(images), top)

    def ranked(self, logits: Floats, top: int) -> list[list[Guess]]:
        """For each row of logits its most probable classes, most probable first."""
        probabilities = softmax(logits)
        best = (-probabilities).argsort(axis=1, kind="stable")[:, :top]
        names = self.model.class_names
        # Lists of numbers: their elements are read in a fraction of the time that an array's take.
        pairs = zip(probabilities.tolist(), best.tolist(), strict=True)
        return [[Guess(names[c], row[c]) for c in order] for row, order in pairs]
