"""Test images for the gallery: to try a model on, and to see its mistakes."""

from dataclasses import dataclass
from functools import lru_cache
from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ops.softmax import softmax
from service.data import describe
from service.data.store import blocks
from service.errors import AtelierError, NotFound
from service.home import Home
from service.inference.predictor import Predictor
from service.registry import ModelVersion

MAX_MISTAKES = 12
MOST_BYTES = 64 << 20
"""Of a large data set, the first test images up to about this size are shown."""

STRIP = 8
"""Images of a class that are shown side by side."""


@dataclass(frozen=True)
class Mistake:
    """A test image that the model assigned to another class, and its confidence in that."""

    index: int
    true: str
    predicted: str
    confidence: float


class Samples:
    """The test images of the data sets below one home, each read once."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._read = lru_cache(maxsize=4)(self._load)
        self._mistakes: dict[str, tuple[Mistake, ...]] = {}

    def test_images(self, dataset: str, digest: str = "") -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Images (N, h, w) or (N, 3, h, w) and labels (N,).

        Args:
            dataset: its name.
            digest: of the data that are meant; those of that name where it is empty, or the name.

        Raises:
            NotFound: they aren't here.
        """
        try:
            info = describe(self._home.store(dataset))
            if digest not in ("", dataset, info.digest):
                raise NotFound(dataset)
            return self._read(dataset, info.digest)
        except AtelierError:
            raise NotFound(f"the test images of {dataset!r} are not on this machine") from None

    def of_model(self, model: ModelVersion) -> NDArray[np.uint8]:
        """The test images of what a model was trained on; none where they aren't here."""
        try:
            return self.test_images(model.dataset, model.data)[0]
        except NotFound:
            return np.empty(0, np.uint8)

    def mistakes(self, predictor: Predictor) -> tuple[Mistake, ...]:
        """The wrong predictions of highest confidence; none where the test images aren't here."""
        label = predictor.model.label
        if not len(self.of_model(predictor.model)):
            return ()
        if label not in self._mistakes:
            self._mistakes[label] = self._find_mistakes(predictor)
        return self._mistakes[label]

    def png(self, dataset: str, index: int, digest: str) -> bytes:
        """One test image as a PNG. digest: see `test_images`."""
        images, _ = self.test_images(dataset, digest)
        if index >= len(images):
            raise NotFound(f"{dataset} has {len(images)} test images")
        return to_png(images[index])

    def strip(self, dataset: str, label: int, digest: str) -> bytes:
        """The first test images of a class side by side, as a PNG. digest: see `test_images`."""
        images, labels = self.test_images(dataset, digest)
        chosen = np.flatnonzero(labels == label)[:STRIP]
        if not len(chosen):
            raise NotFound(f"{dataset} has no test images of class {label}")
        return to_png(np.concatenate(list(images[chosen]), axis=-1))

    def _load(self, dataset: str, digest: str) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        images, labels, size = [], [], 0
        for part, part_labels in blocks(self._home.store(dataset), "test", digest):
            images.append(part)
            labels.append(part_labels)
            size += part.nbytes
            if size >= MOST_BYTES:
                break
        return (images[0], labels[0]) if len(images) == 1 else (np.concatenate(images), np.concatenate(labels))

    def _find_mistakes(self, predictor: Predictor) -> tuple[Mistake, ...]:
        images, labels = self.test_images(predictor.model.dataset, predictor.model.data)
        probabilities = softmax(predictor.logits(images))
        predicted, confidence = probabilities.argmax(axis=1), probabilities.max(axis=1)
        wrong = np.flatnonzero(predicted != labels)
        worst = wrong[np.argsort(-confidence[wrong], kind="stable")][:MAX_MISTAKES]
        names = predictor.model.class_names
        return tuple(Mistake(int(i), names[labels[i]], names[predicted[i]], float(confidence[i])) for i in worst)


def to_png(pixels: NDArray[np.uint8]) -> bytes:
    """An image (h, w), or (3, h, w) in colour, as a PNG."""
    stream = BytesIO()
    interleaved = pixels if pixels.ndim == 2 else np.ascontiguousarray(pixels.transpose(1, 2, 0))
    Image.fromarray(interleaved).save(stream, "PNG")
    return stream.getvalue()
