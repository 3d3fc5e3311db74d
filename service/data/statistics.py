"""A few figures of images, and which of them a single image must have to be like the ones a model was trained on."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from math import prod
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

TAIL = 0.001
"""The share of the training images below, and above, the range that counts as theirs."""

MARGIN = 8.0
"""Bytes by which an image may leave that range."""

BLANK = 1.0
"""An image whose pixels deviate by less shows nothing."""

FIGURES = ("mean brightness", "brightness of the border", "contrast")
"""What is compared, in the order of the columns of `_figures`."""

Range = tuple[float, float]


@dataclass(frozen=True)
class ImageStatistics:
    """The ranges that nearly all training images lie in, in bytes.

    Attributes:
        mean: Of the mean of an image's pixels.
        border: Of the mean of its outermost pixels.
        deviation: Of the standard deviation of its pixels.
    """

    mean: Range
    border: Range
    deviation: Range

    @classmethod
    def of_images(cls, images: NDArray[np.uint8]) -> Self:
        """The ranges of images (n, h, w) or (n, 3, h, w), at least one."""
        return cls.of_parts([images])

    @classmethod
    def of_parts(cls, parts: Iterable[NDArray[np.uint8]]) -> Self:
        """The same of images that come in parts."""
        figures = np.concatenate([_figures(images, _weights(images.shape[1:])) for images in parts])
        low, high = np.quantile(figures, (TAIL, 1 - TAIL), axis=0)
        return cls(*((round(float(a), 2), round(float(b), 2)) for a, b in zip(low, high, strict=True)))

    @classmethod
    def from_manifest(cls, recorded: Mapping[str, Any]) -> Self | None:
        """What a manifest records; None where it is of before, and says nothing."""
        if not all(name in recorded for name in cls.__dataclass_fields__):
            return None
        ranges = [(float(recorded[name][0]), float(recorded[name][1])) for name in cls.__dataclass_fields__]
        return cls(*ranges)

    def to_manifest(self) -> dict[str, Any]:
        """The same as plain data."""
        return {name: list(bounds) for name, bounds in asdict(self).items()}


class ImageCheck:
    """Compares images with those that a model was trained on. Made once for a model: it runs with every prediction."""

    def __init__(self, shape: tuple[int, ...], statistics: ImageStatistics | None) -> None:
        """Take what images are compared with.

        Args:
            shape: (h, w) or (c, h, w) of the images.
            statistics: of the training images; without them only blank images are found.
        """
        self._weights = _weights(shape)
        self._numbers = prod(shape)
        self._is_grey = self._numbers == prod(shape[-2:])
        ranges = [(-np.inf, np.inf)] * 3 if statistics is None else list(asdict(statistics).values())
        self._low, self._high = np.array(ranges, np.float32).T
        # A blank image is named so, and nothing else is said of it.
        self._lowest = np.maximum(self._low - MARGIN, (-np.inf, -np.inf, BLANK))
        self._highest = self._high + MARGIN
        self._bounds = self._lowest.tolist(), self._highest.tolist()

    def warnings(self, images: NDArray[np.uint8]) -> list[list[str]]:
        """For each image (n, h, w) or (n, 3, h, w) what makes it unlike the training images; empty lists where nothing.

        Of colours, their mean is compared, and how much each of them deviates.
        """
        if len(images) == 1 and self._is_grey and self._is_like(images):
            return [[]]
        figures = _figures(images, self._weights)
        outside = (figures < self._lowest) | (figures > self._highest)
        if not outside.any():
            return [[] for _ in images]
        return [self._describe(values, beyond) for values, beyond in zip(figures, outside, strict=True)]

    def _is_like(self, image: NDArray[np.uint8]) -> bool:
        """The same comparison for one grey image in few calls: most requests have one, and are answered in 0.2 ms."""
        pixels = image.ravel().astype(np.float32)
        mean, edge = pixels.dot(self._weights).tolist()
        variance = float(pixels.dot(pixels)) / self._numbers - mean * mean
        (mean_low, edge_low, low), (mean_high, edge_high, high) = self._bounds
        return bool(
            mean_low <= mean <= mean_high and edge_low <= edge <= edge_high and low * low <= variance <= high * high
        )

    def _describe(self, values: NDArray[np.float32], beyond: NDArray[np.bool_]) -> list[str]:
        if values[-1] < BLANK:
            return ["the image is blank: all of its pixels are about the same"]
        return [
            f"the image is unlike the training images: its {FIGURES[column]} is {values[column]:.0f}, "
            f"theirs {self._low[column]:.0f} to {self._high[column]:.0f}"
            for column in np.flatnonzero(beyond)
        ]


def _weights(shape: tuple[int, ...]) -> NDArray[np.float32]:
    """What numbers are multiplied by for the mean of all, and for that of the outermost pixels, corners twice.

    shape: (h, w) or (c, h, w). The result has a row for each number, and these two columns.
    """
    edge = np.zeros(shape, np.float32)
    for line in (edge[..., 0, :], edge[..., -1, :], edge[..., 0], edge[..., -1]):
        line += 1
    return np.stack((np.full(edge.size, 1 / edge.size, np.float32), edge.ravel() / edge.sum()), axis=1)


def _figures(images: NDArray[np.uint8], weights: NDArray[np.float32]) -> NDArray[np.float32]:
    """Mean, mean of the border, and standard deviation (in colour that within each channel) of each image (n, 3)."""
    pixels = images.reshape(len(images), -1).astype(np.float32)
    figures = np.empty((len(images), 3), np.float32)
    np.matmul(pixels, weights, out=figures[:, :2])
    if images.ndim == 3:
        mean_square = np.einsum("np,np->n", pixels, pixels) / pixels.shape[1]
        figures[:, 2] = np.sqrt(np.maximum(mean_square - figures[:, 0] ** 2, 0))
    else:
        figures[:, 2] = np.sqrt(pixels.reshape(*images.shape[:2], -1).var(axis=2).mean(axis=1))
    return figures
