"""A model of pictures in colour, from a folder of files to answers: a thousand test images, over every way there is."""

import io
import json
import os
import tarfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import onnxruntime
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageOps

from service.client import Atelier, UnlikeTraining
from service.config import TrainConfig, from_preset
from service.data import DatasetInfo, ingest, read
from service.home import Home
from service.inference.pixels import parse_pixels
from service.inference.predictor import Predictor
from service.registry import Registry
from service.rounds.serial_executor import SerialExecutor
from service.training.evaluate import evaluate_run
from service.training.publish import publish_run
from service.training.start import start_run
from tests.jobs import small
from tests.service.data.formats.sources import picture, write_folder
from tests.service.http.serving import serving

REAL = Path(os.environ.get("ATELIER_TEST_DATA") or "no folder")
COUNT, SIDE = 1000, 12
SHOWN = 25
"""Images that are sent one by one to a real server."""

Pixels = NDArray[np.uint8]


def scenes(count: int, seed: int) -> tuple[Pixels, Pixels]:
    """Images (count, 3, h, w) of a coloured patch on a ground of another colour, and which of three colours it has."""
    random = np.random.default_rng(seed)
    labels = (np.arange(count) % 3).astype(np.uint8)
    images = np.empty((count, 3, SIDE, SIDE), np.uint8)
    y, x = np.mgrid[:SIDE, :SIDE]
    for image, label in zip(images, labels, strict=True):
        top, left = random.uniform(3, 8, 2)
        inside = np.exp(-((y - top) ** 2 + (x - left) ** 2) / random.uniform(4, 12))
        colour = np.where(np.arange(3) == label, 230, 40)[:, None, None]
        ground = random.uniform(60, 180, 3)[:, None, None] + 3 * np.sin(x * random.uniform(0.2, 0.9))
        image[:] = np.clip(ground * (1 - inside) + colour * inside, 0, 255)
    return images, labels


@dataclass(frozen=True)
class Colour:
    """A service with a model of pictures in colour, and test images as its store has them."""

    http: httpx.Client
    home: Home
    predictor: Predictor
    images: Pixels
    classes: NDArray[np.int64]


@pytest.fixture(scope="module")
def colour(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Colour]:
    root = tmp_path_factory.mktemp("colour")
    home = Home(root / "home")
    home.prepare()
    for split, count, seed in (("train", 600, 0), ("test", COUNT, 1)):
        write_folder(root / "scenes" / split, scenes(count, seed), ("red", "green", "blue"))
    data = ingest(home, dataset="scenes", source=root / "scenes")
    config = from_preset(
        small(
            model="lenet-relu", name="lenet-relu", dataset="scenes", optimizer={"lr": 0.05, "momentum": 0.9}, epochs=4
        )
    )
    with served(home, data, config, 0.8) as made:  # guessing gets a third
        yield made


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Colour]:
    """CIFAR-10 and the network that is made for it, trained for a while."""
    archive, root = REAL / "cifar10-jpeg.tar.xz", tmp_path_factory.mktemp("photos")
    if not archive.exists():
        pytest.skip("needs CIFAR-10: ATELIER_TEST_DATA names no folder that has cifar10-jpeg.tar.xz")
    with tarfile.open(archive) as tar:
        some = [member for number, member in enumerate(tar) if member.isfile() and number % 5 == 0]
        tar.extractall(root / "files", some, filter="data")
    home = Home(root / "home")
    home.prepare()
    data = ingest(home, dataset="cifar10", source=root / "files")
    given = {"model": "convnet", "dataset": "cifar10", "epochs": 4, "averaging": {"shards": 1}}
    with served(home, data, from_preset(given), 0.4) as real:  # guessing gets a tenth
        yield real


@pytest.fixture(params=["colour", pytest.param("photos", marks=[pytest.mark.slow, pytest.mark.timeout(1800)])])
def any_colour(request: pytest.FixtureRequest) -> Colour:
    """The made images, and the real ones."""
    found: Colour = request.getfixturevalue(request.param)
    return found


@contextmanager
def served(home: Home, data: DatasetInfo, config: TrainConfig, accuracy: float) -> Iterator[Colour]:
    """Train, which must reach a test accuracy, publish and serve."""
    trained = start_run(home, SerialExecutor(), "run", config, lambda entry: None)
    published = publish_run(home, trained, evaluate_run(home, SerialExecutor(), "run"))
    assert published.test_accuracy > accuracy
    predictor = Predictor(Registry(home.models).get(published.model, "1"))
    images = read(data.path, "test", data.digest)[0][:COUNT]
    with serving(home) as http:
        yield Colour(http, home, predictor, images, predictor.logits(images).argmax(axis=1))


def file_of(image: Image.Image, form: str = "PNG", **options: Any) -> bytes:
    stream = io.BytesIO()
    image.save(stream, form, **options)
    return stream.getvalue()


def turned(image: Image.Image) -> bytes:
    """On its side, as a camera stores it, with the EXIF entry that puts it upright."""
    exif = Image.Exif()
    exif[0x0112] = 6
    return file_of(image.transpose(Image.Transpose.ROTATE_90), exif=exif)


def on_transparent(image: Image.Image) -> bytes:
    """With a margin cut off that nobody sees, since the opaque part is the whole picture."""
    canvas = image.convert("RGBA")
    canvas.putpixel((0, 0), (*image.getpixel((0, 0)), 254))  # so that it has an opacity at all
    return file_of(canvas)


SAME: dict[str, Callable[[Image.Image], bytes]] = {
    "PNG": file_of,
    "BMP": lambda x: file_of(x, "BMP"),
    "TIFF": lambda x: file_of(x, "TIFF", compression="tiff_lzw"),
    "WebP": lambda x: file_of(x, "WEBP", lossless=True),
    "turned": turned,
    "RGBA": lambda x: file_of(x.convert("RGBA")),
    "nine times as large": lambda x: file_of(x.resize((3 * x.width, 3 * x.height), Image.Resampling.NEAREST)),
    "wide": lambda x: file_of(ImageOps.expand(x, (x.width, 0, x.width, 0), (9, 9, 9))),
    "high": lambda x: file_of(ImageOps.expand(x, (0, x.height, 0, x.height), (250, 0, 9))),
}
"""Ways that lose nothing: what arrives is the image in the store, to the bit."""

ALIKE: dict[str, tuple[Callable[[Image.Image], bytes], float]] = {
    "JPEG": (lambda x: file_of(x, "JPEG", quality=95, subsampling=0), 0.97),
    "JPEG with halved colours": (lambda x: file_of(x, "JPEG", quality=95), 0.9),
    "lossy WebP": (lambda x: file_of(x, "WEBP", quality=95), 0.9),
    "a palette of 256 colours": (lambda x: file_of(x.convert("P", palette=Image.Palette.ADAPTIVE)), 0.97),
    "GIF": (lambda x: file_of(x, "GIF"), 0.97),
    "one pixel not quite opaque": (on_transparent, 0.99),
}
"""Ways that lose a little, and the share of images that must get the same class all the same.

Where colours are stored at half the resolution, a patch of four pixels loses much of its own.
"""


@pytest.mark.parametrize("way", SAME)
def test_every_image_arrives_to_the_bit(any_colour: Colour, way: str):
    for image in any_colour.images[:: 1 if way == "PNG" else 5]:
        np.testing.assert_array_equal(any_colour.predictor.read_pictures([SAME[way](picture(image))])[0], image)


@pytest.mark.parametrize("way", ALIKE)
def test_nearly_every_image_gets_the_same_class(any_colour: Colour, way: str):
    make, least = ALIKE[way]
    received = np.concatenate(
        [any_colour.predictor.read_pictures([make(picture(image))]) for image in any_colour.images]
    )
    assert (any_colour.predictor.logits(received).argmax(axis=1) == any_colour.classes).mean() >= least


def test_numbers_arrive_to_the_bit(any_colour: Colour):
    interleaved = any_colour.images.transpose(0, 2, 3, 1)
    for body in ({"pixels": interleaved.tolist()}, {"pixels": (interleaved / 255).tolist(), "scale": 1}):
        np.testing.assert_array_equal(parse_pixels(body, any_colour.predictor.pixel_shape, COUNT), any_colour.images)


def test_hardly_any_test_image_is_warned_of_and_inverted_ones_are(any_colour: Colour):
    assert sum(map(bool, any_colour.predictor.warnings(any_colour.images))) <= 6
    blank = np.zeros_like(any_colour.images[:1]) + np.array([200, 30, 30], np.uint8)[:, None, None]
    assert "blank" in any_colour.predictor.warnings(blank)[0][0]


def infer(colour: Colour, images: Pixels, datatype: str) -> NDArray[np.int64]:
    tensor = images if datatype == "UINT8" else (images / np.float32(255)).astype("<f4")
    content = tensor.tobytes()
    head = json.dumps(
        {
            "inputs": [
                {
                    "name": "pixels",
                    "shape": list(images.shape),
                    "datatype": datatype,
                    "parameters": {"binary_data_size": len(content)},
                }
            ],
            "outputs": [{"name": "logits"}],
        }
    ).encode()
    answer = colour.http.post(
        f"/v2/models/{colour.predictor.model.name}/infer",
        content=head + content,
        headers={"Inference-Header-Content-Length": str(len(head))},
    )
    assert answer.status_code == 200, answer.text
    return np.array(answer.json()["outputs"][0]["data"]).reshape(len(images), -1).argmax(axis=1)


def test_all_ways_to_a_server_give_the_answer_for_the_stored_image(any_colour: Colour):
    images, names = any_colour.images[:SHOWN], any_colour.predictor.model.class_names
    expected = [names[number] for number in any_colour.classes[:SHOWN]]

    def labels(answer: httpx.Response) -> list[str]:
        assert answer.status_code == 200, answer.text
        return [guesses[0]["label"] for guesses in answer.json()["predictions"]]

    model = any_colour.predictor.model.name
    url = f"/api/models/{model}/predict"
    files = [file_of(picture(image)) for image in images]
    sent = [labels(any_colour.http.post(url, content=one, headers={"content-type": "image/png"}))[0] for one in files]
    assert sent == expected
    assert (
        labels(any_colour.http.post(url, files=[("file", (f"{n}.png", one)) for n, one in enumerate(files)]))
        == expected
    )
    interleaved = images.transpose(0, 2, 3, 1)
    assert labels(any_colour.http.post(url, json={"pixels": interleaved.tolist()})) == expected
    assert labels(any_colour.http.post(f"{url}?top=3&version=1", json={"pixels": interleaved.tolist()})) == expected
    for datatype in ("UINT8", "FP32"):
        assert [names[number] for number in infer(any_colour, images, datatype)] == expected
    with Atelier(str(any_colour.http.base_url)) as atelier:
        assert [guesses[0].label for guesses in atelier.predict_many(model, interleaved)] == expected
        assert atelier.predict(model, interleaved[0] / 255, scale=1.0)[0].label == expected[0]
        assert atelier.predict(model, files[0])[0].label == expected[0]


def test_the_export_and_the_protocol_have_three_channels(colour: Colour):
    session = onnxruntime.InferenceSession(colour.predictor.model.read_file("model.onnx"))
    (logits,) = session.run(None, {"pixels": colour.images.astype(np.float32) / 255})
    np.testing.assert_allclose(logits, colour.predictor.logits(colour.images), rtol=1e-3, atol=1e-4)
    metadata = colour.http.get("/v2/models/lenet-relu").json()
    assert metadata["inputs"][0]["shape"] == [-1, 3, SIDE, SIDE]


REFUSED: dict[str, tuple[Any, str]] = {
    "grey rows": ([[0] * SIDE] * SIDE, f"every image must be {SIDE} rows of {SIDE} pixels of 3 numbers"),
    "channels first": ([[[0] * SIDE] * SIDE] * 3, f"every image must be {SIDE} rows of {SIDE} pixels of 3 numbers"),
    "RGBA": ([[[0] * 4] * SIDE] * SIDE, f"every image must be {SIDE} rows of {SIDE} pixels of 3 numbers"),
    "floats in [0, 1]": ([[[0.5] * 3] * SIDE] * SIDE, "none of these is above 1"),
    "above 255": ([[[256] * 3] * SIDE] * SIDE, "pixels must be numbers in [0, 255]"),
    "words": ([[["a"] * 3] * SIDE] * SIDE, "pixels must be numbers in [0, 255]"),
    "too deep": ([[[[[0] * 3] * SIDE] * SIDE]], "pixels must be rows of numbers"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_pixels_that_could_be_misread_are_refused_in_one_line(colour: Colour, name: str):
    pixels, message = REFUSED[name]
    answer = colour.http.post("/api/models/lenet-relu/predict", json={"pixels": pixels})
    assert answer.status_code == 422
    assert message in answer.json()["detail"]


@pytest.mark.parametrize("shape", [[1, 1, SIDE, SIDE], [1, SIDE, SIDE, 3]])
def test_tensors_of_another_shape_are_refused(colour: Colour, shape: list[int]):
    tensor = {"name": "pixels", "shape": shape, "datatype": "UINT8", "data": [7] * int(np.prod(shape))}
    answer = colour.http.post("/v2/models/lenet-relu/infer", json={"inputs": [tensor]})
    assert answer.status_code == 400
    assert f"shape must be [n, 3, {SIDE}, {SIDE}]" in answer.json()["error"]


def test_a_grey_picture_is_answered_as_its_colours_are(colour: Colour, tmp_path: Path):
    grey = picture(colour.images[0]).convert("L")
    same = [grey, grey.convert("RGB"), grey.convert("LA"), Image.fromarray(np.asarray(grey).astype(np.uint16) * 257)]
    read_as = [colour.predictor.read_pictures([file_of(each)])[0] for each in same]
    assert all(np.array_equal(each, read_as[0]) for each in read_as)
    assert read_as[0].shape == (3, SIDE, SIDE)


def test_transparent_parts_become_the_background_of_the_training(colour: Colour):
    opaque = picture(colour.images[0]).convert("RGBA")
    opaque.paste((0, 0, 0, 0), (0, 0, SIDE, 4))
    read_as = colour.predictor.read_pictures([file_of(opaque)])[0]
    background = colour.predictor.model.preparation["background"]
    assert (read_as[:, :4] == background).all()
    np.testing.assert_array_equal(read_as[:, 4:], colour.images[0][:, 4:])


def test_a_picture_unlike_the_training_pictures_is_answered_with_a_warning(colour: Colour):
    black = Image.new("RGB", (SIDE, SIDE), (0, 0, 40))
    with Atelier(str(colour.http.base_url)) as atelier, warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        atelier.predict("lenet-relu", file_of(black))
    assert any(issubclass(each.category, UnlikeTraining) for each in caught)


def test_the_gallery_shows_pictures_kernels_and_a_board_in_colour(colour: Colour):
    page = colour.http.get("/models/lenet-relu/1").text
    assert page.count('class="kernel"') == 6
    shown = Image.open(io.BytesIO(colour.http.get("/images/scenes/3.png").content))
    np.testing.assert_array_equal(np.asarray(shown).transpose(2, 0, 1), colour.images[3])
    page = colour.http.get("/data/scenes").text
    assert "a folder of pictures" in page
    assert 'href="/models/lenet-relu/1"' in page
    strip = Image.open(io.BytesIO(colour.http.get("/images/scenes/classes/1.png").content))
    assert strip.size == (8 * SIDE, SIDE)
    first = np.asarray(strip).transpose(2, 0, 1)[..., :SIDE]
    assert any(np.array_equal(first, image) for image in colour.images)
    assert colour.http.get("/images/scenes/classes/9.png").status_code == 404
    board = colour.http.get("/try").text
    assert 'data-channels="3"' in board
    assert 'id="colour"' in board
