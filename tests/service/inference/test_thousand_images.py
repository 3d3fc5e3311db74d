"""A trained network and a thousand real test images, in every way that one may send them."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from ops.engines import Choice
from service.config import from_preset
from service.data import ingest, read
from service.data.preparation import Preparation
from service.data.statistics import ImageStatistics
from service.errors import DataError
from service.home import Home
from service.inference.pixels import parse_pixels
from service.inference.predictor import Predictor
from service.rounds.job import Job
from tests.jobs import serial_results
from tests.service.http.test_same_answer import on_canvas, on_transparent, turned, white_of_opacity
from tests.service.inference.test_pictures import ORIENTATION, TURNED, file_of
from tests.service.models import draft, publish

COUNT = 1000
Grey = NDArray[np.uint8]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Predictor, Grey]:
    """A perceptron after an epoch of Fashion-MNIST, and the first test images."""
    home = Home(tmp_path_factory.mktemp("home"))
    home.prepare()
    try:
        data = ingest(home)
    except DataError as error:
        pytest.skip(f"the real data can't be had here: {error}")
    config = from_preset({"model": "mlp", "epochs": 1, "averaging": {"shards": 1}})
    *_, last = serial_results(Job(config, data, Choice("simd", "cpu")))
    images, labels = read(data.path, "test", data.digest)
    made = replace(
        draft("mlp"),
        theta=last.state.replica.theta,
        preparation=Preparation.of_images(images).to_manifest(),
        statistics=ImageStatistics.of_images(images).to_manifest(),
    )
    predictor = Predictor(publish(home.models, "mlp", made))
    assert (predictor.logits(images).argmax(axis=1) == labels).mean() > 0.6  # trained: guessing gets a tenth
    return predictor, images[:COUNT]


def grey_of(level: int) -> Callable[[Grey], bytes]:
    return lambda x: file_of(Image.fromarray(np.rint(level * (1 - x / 255)).astype(np.uint8)))


def photo(image: Grey, orientation: int) -> bytes:
    """As a camera stores it: larger, turned, as JPEG."""
    large = np.asarray(Image.fromarray(image).resize((224, 224), Image.Resampling.BICUBIC))
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    stored = Image.fromarray(np.ascontiguousarray(TURNED[orientation](large)))
    return file_of(stored, "JPEG", quality=95, exif=exif)


SAME: dict[str, Callable[[Grey], bytes]] = {
    "PNG": lambda x: file_of(Image.fromarray(x)),
    "16 bits": lambda x: file_of(Image.fromarray(x.astype(np.uint16) * 257)),
    "a palette": lambda x: file_of(Image.fromarray(x).convert("P")),
    "turned": lambda x: turned(x, 6),
    "grey on transparent": on_transparent,
    "white on transparent": white_of_opacity,
    "a wide canvas": lambda x: on_canvas(x, 400, 280),
    "a high canvas": lambda x: on_canvas(x, 280, 600),
}
ALIKE: dict[str, tuple[Callable[[Grey], bytes], float]] = {
    # On white the few things that reach most of the border can't be told from their background.
    "RGBA on white": (lambda x: file_of(Image.fromarray(255 - x).convert("RGBA")), 0.995),
    "JPEG": (lambda x: file_of(Image.fromarray(x), "JPEG", quality=95), 0.98),
    "dark on grey": (grey_of(200), 0.98),
    "dark on darker grey": (grey_of(120), 0.97),
    "a photo on its side": (lambda x: photo(x, 6), 0.95),
    "a photo on its head": (lambda x: photo(x, 3), 0.95),
}
"""What loses a little, and the share of images that must get the same class all the same."""


@pytest.mark.slow
@pytest.mark.parametrize("way", SAME)
def test_every_image_arrives_to_the_bit(trained: tuple[Predictor, Grey], way: str) -> None:
    predictor, images = trained
    for image in images:
        np.testing.assert_array_equal(predictor.read_pictures([SAME[way](image)])[0], image)


@pytest.mark.slow
@pytest.mark.parametrize("way", ALIKE)
def test_nearly_every_image_gets_the_same_class(trained: tuple[Predictor, Grey], way: str, record_property) -> None:
    predictor, images = trained
    make, least = ALIKE[way]
    received = np.stack([predictor.read_pictures([make(image)])[0] for image in images])
    same = (predictor.logits(received).argmax(axis=1) == predictor.logits(images).argmax(axis=1)).mean()
    record_property("the same class", float(same))
    assert same >= least


@pytest.mark.slow
def test_numbers_arrive_to_the_bit_and_hardly_any_image_is_warned_of(trained: tuple[Predictor, Grey]) -> None:
    predictor, images = trained
    for body in ({"pixels": images.tolist()}, {"pixels": (images / 255).tolist(), "scale": 1}):
        np.testing.assert_array_equal(parse_pixels(body, (28, 28), COUNT), images)
    assert sum(map(bool, predictor.warnings(images))) <= 6  # the ranges leave out two in a thousand, for each of three
    assert all(predictor.warnings(255 - images))
