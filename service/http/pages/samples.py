"""Test images for the gallery: to try a model on, to see its mistakes, and what its first layer makes of one."""

from dataclasses import dataclass
from functools import lru_cache
from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ops.layers import Context, Conv2D
from ops.softmax import softmax
from service.data import describe, read
from service.errors import AtelierError, NotFound
from service.home import Home
from service.inference.predictor import Predictor
from service.registry import ModelVersion
from service.registry.draft import first_kernels


@dataclass(frozen=True)
class Mistake:
    """A test image that the model called something else, and how sure of that it was."""

    index: int
    true: str
    called: str
    confidence: float


class Samples:
    """The test images of the data sets below one home, each read once."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._read = lru_cache(maxsize=4)(self._load)
        self._mistakes = lru_cache(maxsize=32)(self._find_mistakes)

    def test_images(self, dataset: str) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Images (N, h, w) and labels (N,). Raises NotFound where the data set isn't here."""
        try:
            info = describe(self._home.store(dataset))
            return self._read(dataset, info.digest)
        except AtelierError:
            raise NotFound(f"the test images of {dataset!r} are not on this machine") from None

    def mistakes(self, model: ModelVersion, most: int = 12) -> tuple[Mistake, ...]:
        """The wrong answers that the model was surest of; none where its test images aren't here."""
        try:
            return self._mistakes(model.name, model.version, most, _Held(model))
        except NotFound:
            return ()

    def png(self, dataset: str, index: int) -> bytes:
        """One test image as a PNG."""
        images, _ = self.test_images(dataset)
        if index >= len(images):
            raise NotFound(f"{dataset} has {len(images)} test images")
        return to_png(images[index])

    def responses(self, model: ModelVersion, index: int, most: int = 16) -> list[bytes]:
        """What each filter of a first convolution makes of a test image, as PNGs; none for other networks."""
        network = model.build_network()
        if not isinstance(network.layers[0], Conv2D):
            return []
        try:
            images, _ = self.test_images(model.dataset)
        except NotFound:
            return []
        own = network.parameters(model.parameters())[0]
        x = images[index][None, None].astype(np.float32) / np.float32(255)
        y, _ = network.layers[0].forward(x, own, Context())
        return [to_png(_stretched(plane)) for plane in y[0][:most]]

    def _load(self, dataset: str, digest: str) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        return read(self._home.store(dataset), "test", digest)

    def _find_mistakes(self, name: str, version: int, most: int, held: "_Held") -> tuple[Mistake, ...]:
        images, labels = self.test_images(held.model.dataset)
        probabilities = softmax(Predictor(held.model).logits(images))
        called, sure = probabilities.argmax(axis=1), probabilities.max(axis=1)
        wrong = np.flatnonzero(called != labels)
        worst = wrong[np.argsort(-sure[wrong], kind="stable")][:most]
        names = held.model.class_names
        return tuple(Mistake(int(i), names[labels[i]], names[called[i]], float(sure[i])) for i in worst)


@dataclass(frozen=True, eq=False)
class _Held:
    """A model handed through a cache that looks at name and version only."""

    model: ModelVersion

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Held)

    def __hash__(self) -> int:
        return 0


def kernel_grids(model: ModelVersion, most: int = 16) -> list[list[list[tuple[str, float]]]]:
    """The first layer's kernels as rows of (sign, strength in [0, 1]); none for networks without convolutions."""
    network = model.build_network()
    kernels = first_kernels(network, model.parameters())[:most]
    if not kernels or kernels[0].shape[0] > 11:
        return []
    limit = max(float(np.abs(kernel).max()) for kernel in kernels) or 1.0
    return [
        [[("p" if value > 0 else "n", round(abs(float(value)) / limit, 3)) for value in row] for row in kernel]
        for kernel in kernels
    ]


def to_png(pixels: NDArray[np.uint8]) -> bytes:
    """A grey image (h, w) as a PNG."""
    stream = BytesIO()
    Image.fromarray(pixels).save(stream, "PNG")
    return stream.getvalue()


def _stretched(plane: NDArray[np.float32]) -> NDArray[np.uint8]:
    low, high = float(plane.min()), float(plane.max())
    return ((plane - low) * (255 / ((high - low) or 1))).astype(np.uint8)
