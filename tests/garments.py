"""Images like those of Fashion-MNIST, drawn: one bright, textured thing on black, as large as the image allows."""

import numpy as np
from numpy.typing import NDArray


def garments(count: int, seed: int = 0) -> NDArray[np.uint8]:
    """(count, 28, 28) uint8. Each has a black margin of two pixels at least, and differs from its mirror images."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[0:28, 0:28]
    images = np.zeros((count, 28, 28), np.uint8)
    for image in images:
        top, left = random.integers(2, 6, 2)
        bottom, right = random.integers(21, 26, 2)
        slope = random.uniform(0.1, 0.35)
        inside = (y >= top) & (y < bottom) & (x >= left + slope * (y - top)) & (x < right)
        texture = random.integers(90, 150) + 60 * np.sin(y * random.uniform(0.3, 1.2)) + 2 * (27 - x)
        image[inside] = np.clip(texture, 60, 255)[inside]
    return images
