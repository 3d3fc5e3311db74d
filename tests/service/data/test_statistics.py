"""Which images are said to be unlike those of the training."""

import json

import numpy as np
import pytest

from service.data.statistics import ImageCheck, ImageStatistics
from tests.garments import garments

TRAINING = garments(1000)
STATISTICS = ImageStatistics.of_images(TRAINING)
CHECK = ImageCheck((28, 28), STATISTICS)


def test_nothing_is_said_of_images_like_those_of_the_training() -> None:
    assert CHECK.warnings(garments(500, seed=1)) == [[] for _ in range(500)]


def test_the_ranges_are_those_of_the_images() -> None:
    image = np.zeros((1, 4, 5), np.uint8)
    image[0, 1:3, 1:4] = 60
    statistics = ImageStatistics.of_images(image)
    assert statistics.mean == (18, 18)
    assert statistics.border == (0, 0)
    assert statistics.deviation == pytest.approx((image.std(), image.std()), abs=0.01)


@pytest.mark.parametrize(
    ("image", "word"),
    [
        (255 - TRAINING[0], "mean brightness"),
        (TRAINING[0] // 20, "contrast"),
        (np.random.default_rng(0).integers(0, 256, (28, 28)), "border"),
        (np.zeros((28, 28)), "blank"),
        (np.full((28, 28), 255), "blank"),
    ],
    ids=["inverted", "dim", "noise", "black", "white"],
)
def test_what_is_unlike_them_is_said(image: np.ndarray, word: str) -> None:
    like, unlike = CHECK.warnings(np.stack((TRAINING[1], image.astype(np.uint8))))
    assert like == []
    assert any(word in text for text in unlike)


def test_without_statistics_only_blank_images_are_named() -> None:
    check = ImageCheck((28, 28), None)
    images = np.stack((255 - TRAINING[0], np.zeros((28, 28), np.uint8)))
    assert [len(texts) for texts in check.warnings(images)] == [0, 1]


def test_statistics_travel_in_a_manifest_and_one_of_before_has_none() -> None:
    recorded = json.loads(json.dumps(STATISTICS.to_manifest()))
    assert ImageStatistics.from_manifest(recorded) == STATISTICS
    assert ImageStatistics.from_manifest({}) is None
