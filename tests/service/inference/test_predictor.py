"""A model version that answers: by its own network, parameters, preparation and statistics."""

from dataclasses import replace
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from ops import zoo
from ops.layers import Context
from ops.passes import forward
from service.data.preparation import Preparation
from service.data.statistics import ImageStatistics
from service.inference.pictures import read_pictures
from service.inference.predictor import Guess, Predictor
from service.registry import ModelVersion
from tests.garments import garments
from tests.service.models import draft, publish

IMAGES = garments(6)


@pytest.fixture(scope="module")
def version(tmp_path_factory: pytest.TempPathFactory) -> ModelVersion:
    return publish(tmp_path_factory.mktemp("models"), "model", draft("mlp"))


@pytest.fixture(scope="module")
def ours(version: ModelVersion) -> Predictor:
    return Predictor(version)


def png(image: NDArray[np.uint8]) -> bytes:
    stream = BytesIO()
    Image.fromarray(image).save(stream, "PNG")
    return stream.getvalue()


@pytest.mark.parametrize("network", ["mlp", "lenet"])
def test_the_logits_are_those_of_the_published_network_and_parameters(tmp_path: Path, network: str) -> None:
    made = draft(network, seed=4)
    ours = Predictor(publish(tmp_path, "model", made))
    x_nchw = IMAGES[:, None] / np.float32(255)
    expected, _ = forward(made.network, made.network.parameters(made.theta), x_nchw, Context())
    np.testing.assert_array_equal(ours.logits_of_floats(x_nchw), expected)
    # the engine sums in another order, in float32: some 1e-6 of logits near 1
    np.testing.assert_allclose(ours.logits(IMAGES), expected, atol=1e-5)
    assert ours.model.label == "model:1"


def test_a_model_says_what_it_takes_and_what_that_costs(ours: Predictor) -> None:
    assert (ours.input_shape, ours.image_shape, ours.pixel_shape) == ((1, 28, 28), (28, 28), (28, 28))
    assert ours.flops == 2 * (784 * 256 + 256 * 10)


def test_a_model_of_colours_takes_the_channels_last_in_lists_and_first_in_examples(tmp_path: Path) -> None:
    network = zoo.network("mlp", (3, 20, 24), 10)
    made = replace(draft("mlp"), network=network, theta=network.init_parameters(0))
    ours = Predictor(publish(tmp_path, "colours", made))
    assert (ours.input_shape, ours.image_shape, ours.pixel_shape) == ((3, 20, 24), (20, 24), (20, 24, 3))


def test_pictures_are_prepared_as_the_training_images_of_the_model_were(version: ModelVersion) -> None:
    wide = np.zeros((28, 56), np.uint8)
    wide[:, 10:50] = 200
    for preparation in (Preparation(), Preparation(fit="stretch"), Preparation(background=255)):
        ours = Predictor(replace(version, preparation=preparation.to_manifest()))
        found = ours.read_pictures([png(wide), png(IMAGES[0])])
        np.testing.assert_array_equal(found, read_pictures([png(wide), png(IMAGES[0])], (28, 28), preparation))
        assert found.shape == (2, 28, 28)


def test_a_picture_on_a_bright_background_is_answered_like_one_on_a_dark_one(ours: Predictor) -> None:
    dark = ours.read_pictures([png(image) for image in IMAGES])
    bright = ours.read_pictures([png(255 - image) for image in IMAGES])
    np.testing.assert_array_equal(dark, IMAGES)
    np.testing.assert_array_equal(bright, IMAGES)
    assert ours.guesses(bright) == ours.guesses(dark)


def test_images_are_compared_with_the_training_images_of_the_model(ours: Predictor, version: ModelVersion) -> None:
    blank, unlike = np.zeros((28, 28), np.uint8), 255 - IMAGES[0]
    assert [len(found) for found in ours.warnings(np.stack([IMAGES[0], blank, unlike]))] == [0, 1, 0]
    statistics = ImageStatistics.of_images(garments(200)).to_manifest()
    found = Predictor(replace(version, statistics=statistics)).warnings(np.stack([IMAGES[0], blank, unlike]))
    assert found[0] == []
    assert "blank" in found[1][0]
    assert "unlike the training images" in found[2][0]


def test_guesses_are_the_most_probable_classes_in_order(ours: Predictor) -> None:
    logits = np.array([[0, 1, 5, 2, 4, 3, -1, -2, -3, -4], [3, 3, 0, 0, 0, 0, 0, 0, 0, 4]], np.float32)
    names, powers = ours.model.class_names, np.exp(logits.astype(np.float64))
    probabilities = powers / powers.sum(axis=1, keepdims=True)
    for top in (1, 4):
        for row, order in enumerate(([2, 4, 5, 3], [9, 0, 1, 2])):  # of equals the first class comes first
            guesses = ours.ranked(logits, top)[row]
            assert [guess.label for guess in guesses] == [names[place] for place in order[:top]]
            # softmax in float32
            expected = probabilities[row, order[:top]]
            np.testing.assert_allclose([guess.probability for guess in guesses], expected, rtol=1e-5)
            assert all(type(guess.probability) is float for guess in guesses)


def test_three_guesses_are_made_unless_more_are_wanted(ours: Predictor) -> None:
    logits = ours.logits(IMAGES)
    assert ours.guesses(IMAGES) == ours.ranked(logits, 3)
    assert ours.guesses(IMAGES, 5) == ours.ranked(logits, 5)
    assert [len(guesses) for guesses in ours.guesses(IMAGES)] == [3] * 6
    assert isinstance(ours.guesses(IMAGES)[0][0], Guess)
