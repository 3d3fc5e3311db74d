"""Mean and deviation of each channel of images, with pixels in [0, 1]."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from math import isfinite, prod, sqrt
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

BRIGHTEST = 255


@dataclass(frozen=True)
class ChannelStatistics:
    """What `normalize` stands for in a network. Both are empty where nobody counted.

    Attributes:
        means: a number for each channel.
        deviations: likewise, standard deviations.
    """

    means: tuple[float, ...] = ()
    deviations: tuple[float, ...] = ()

    @classmethod
    def of_parts(cls, parts: Iterable[NDArray[np.uint8]]) -> Self:
        """Those of images (n, h, w) or (n, c, h, w) that come in parts, at least one image.

        Sums are of whole numbers, so that the result doesn't depend on the parts.
        """
        count, totals, squares = 0, [0], [0]
        for images in parts:
            planes = images if images.ndim == 4 else images[:, None]
            if not count:
                totals, squares = [0] * planes.shape[1], [0] * planes.shape[1]
            count += len(planes) * prod(planes.shape[2:])
            for c in range(planes.shape[1]):
                channel = planes[:, c]
                totals[c] += int(channel.sum(dtype=np.uint64))
                squares[c] += int(np.square(channel, dtype=np.uint16).sum(dtype=np.uint64))
        means = tuple(total / count / BRIGHTEST for total in totals)
        variances = ((count * square - total**2) / count**2 for total, square in zip(totals, squares, strict=True))
        return cls(means, tuple(sqrt(variance) / BRIGHTEST for variance in variances))

    @classmethod
    def from_attributes(cls, recorded: Mapping[str, Any] | None, channels: int) -> Self:
        """What a store's attributes record; stores of before have nothing. Raises ValueError for what can't be."""
        if recorded is None:
            return cls()
        found = cls(*(tuple(map(float, recorded[name])) for name in cls.__dataclass_fields__))
        numbers = found.means + found.deviations
        if not len(found.means) == len(found.deviations) == channels or not all(map(isfinite, numbers)):
            raise ValueError(f"statistics of {channels} channels must be so many numbers, got {numbers}")
        return found

    def to_attributes(self) -> dict[str, list[float]]:
        """The same as plain data."""
        return {name: list(numbers) for name, numbers in asdict(self).items()}
