"""What could be misread, sent in every way there is: the same answer, a warning in the answer, or one line of 4xx."""

import gzip
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import httpx
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from service.client import Atelier, UnlikeTraining
from service.data.preparation import Preparation
from service.data.statistics import ImageStatistics
from service.home import Home
from service.inference.predictor import Predictor
from service.registry import Registry
from tests.garments import garments
from tests.service.http.serving import serving
from tests.service.inference.test_pictures import ORIENTATION, TURNED, file_of
from tests.service.models import draft, publish

IMAGES = garments(30)
PREDICT, INFER = "/api/models/mlp/predict", "/v2/models/mlp/infer"
SHARPER = np.float32(3)
"""Makes of a random network one that is sure of its answers, and whose answers differ."""
Grey = NDArray[np.uint8]


@dataclass(frozen=True)
class Service:
    """A service, and the model that it has."""

    http: httpx.Client
    predictor: Predictor


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    home = Home(tmp_path_factory.mktemp("home"))
    training = garments(1000, seed=5)
    recorded = {
        "preparation": Preparation.of_images(training).to_manifest(),
        "statistics": ImageStatistics.of_images(training).to_manifest(),
    }
    random = draft("mlp")
    publish(home.models, "mlp", replace(random, theta=SHARPER * random.theta, **recorded))
    with serving(home) as http:
        yield Service(http, Predictor(Registry(home.models).get("mlp")))


def picture(service: Service, content: bytes) -> dict[str, float]:
    return probabilities(service.http.post(f"{PREDICT}?top=10", content=content, headers={"content-type": "image/png"}))


def probabilities(answer: httpx.Response) -> dict[str, float]:
    assert answer.status_code == 200, answer.text
    assert answer.json()["warnings"] == [[]]
    return {guess["label"]: guess["probability"] for guess in answer.json()["predictions"][0]}


def from_store(service: Service, image: Grey) -> dict[str, float]:
    """What the model says of the training's own bytes."""
    return {guess.label: guess.probability for guess in service.predictor.guesses(image[None], 10)[0]}


def form(service: Service, image: Grey) -> dict[str, float]:
    files = [("file", ("a.png", file_of(Image.fromarray(image)), "image/png"))]
    return probabilities(service.http.post(f"{PREDICT}?top=10", files=files))


def json_pixels(service: Service, image: Grey, **more: Any) -> dict[str, float]:
    return probabilities(service.http.post(f"{PREDICT}?top=10", json={"pixels": image.tolist(), **more}))


def compressed(service: Service, image: Grey) -> dict[str, float]:
    body = gzip.compress(json.dumps({"pixels": image.tolist()}).encode())
    headers = {"content-type": "application/json", "content-encoding": "gzip"}
    return probabilities(service.http.post(f"{PREDICT}?top=10", content=body, headers=headers))


def tensor(service: Service, image: Grey, datatype: str) -> dict[str, float]:
    data = image if datatype == "UINT8" else image / np.float32(255)
    sent = {"name": "pixels", "shape": [1, 1, 28, 28], "datatype": datatype, "data": data.ravel().tolist()}
    body = {"inputs": [sent], "outputs": [{"name": "probabilities"}]}
    answer = service.http.post(INFER, json=body).json()
    assert "parameters" not in answer
    return dict(zip(service.predictor.model.class_names, answer["outputs"][0]["data"], strict=True))


def client(service: Service, image: NDArray[Any], **options: Any) -> dict[str, float]:
    with Atelier(str(service.http.base_url)) as atelier:
        return {guess.label: guess.probability for guess in atelier.predict("mlp", image, 10, **options)}


def turned(image: Grey, orientation: int) -> bytes:
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    return file_of(Image.fromarray(np.ascontiguousarray(TURNED[orientation](image))), exif=exif)


def on_transparent(image: Grey, mode: str = "LA") -> bytes:
    whole = Image.fromarray(image).convert(mode)
    whole.putalpha(Image.fromarray(np.where(image > 0, 255, 0).astype(np.uint8)))
    return file_of(whole)


def white_of_opacity(image: Grey, shade: int = 255) -> bytes:
    whole = Image.new("LA", (28, 28), (shade, 0))
    whole.putalpha(Image.fromarray(image))
    return file_of(whole)


def on_canvas(image: Grey, width: int, height: int, ground: int = 0) -> bytes:
    """Ten times as large, in the middle of a larger canvas; on white it is dark."""
    canvas = np.zeros((height, width), np.uint8)
    top, left = (height - 280) // 2, (width - 280) // 2
    canvas[top : top + 280, left : left + 280] = image.repeat(10, axis=0).repeat(10, axis=1)
    return file_of(Image.fromarray(255 - canvas if ground else canvas))


SAME: dict[str, Callable[[Service, Grey], dict[str, float]]] = {
    "PNG": lambda s, x: picture(s, file_of(Image.fromarray(x))),
    "GIF": lambda s, x: picture(s, file_of(Image.fromarray(x), "GIF")),
    "BMP": lambda s, x: picture(s, file_of(Image.fromarray(x), "BMP")),
    "TIFF": lambda s, x: picture(s, file_of(Image.fromarray(x), "TIFF")),
    "WebP": lambda s, x: picture(s, file_of(Image.fromarray(x), "WEBP", lossless=True)),
    "a form": form,
    "JSON": json_pixels,
    "JSON floats": lambda s, x: json_pixels(s, x.astype(float)),
    "JSON on another scale": lambda s, x: json_pixels(s, x / 255, scale=1),
    "compressed JSON": compressed,
    "UINT8": lambda s, x: tensor(s, x, "UINT8"),
    "FP32": lambda s, x: tensor(s, x, "FP32"),
    "the client": client,
    "the client's floats": lambda s, x: client(s, x / 255, scale=1),
    "RGB": lambda s, x: picture(s, file_of(Image.fromarray(x).convert("RGB"))),
    "a palette": lambda s, x: picture(s, file_of(Image.fromarray(x).convert("P"))),
    "16 bits": lambda s, x: picture(s, file_of(Image.fromarray(x.astype(np.uint16) * 257))),
    **{f"EXIF {o}": lambda s, x, o=o: picture(s, turned(x, o)) for o in TURNED},
    "dark on white": lambda s, x: picture(s, file_of(Image.fromarray(255 - x))),
    "RGBA on white": lambda s, x: picture(s, file_of(Image.fromarray(255 - x).convert("RGBA"))),
    "grey on transparent": lambda s, x: picture(s, on_transparent(x)),
    "colour on transparent": lambda s, x: picture(s, on_transparent(x, "RGBA")),
    "white on transparent": lambda s, x: picture(s, white_of_opacity(x)),
    "black on transparent": lambda s, x: picture(s, white_of_opacity(x, 0)),
    "landscape": lambda s, x: picture(s, on_canvas(x, 400, 280)),
    "portrait": lambda s, x: picture(s, on_canvas(x, 280, 600)),
    "portrait on white": lambda s, x: picture(s, on_canvas(x, 280, 600, 255)),
    "a wide photo": lambda s, x: picture(s, on_canvas(x, 5000, 280)),
}


@pytest.mark.parametrize("way", SAME)
def test_the_same_image_gets_the_same_answer(service: Service, way: str) -> None:
    for image in IMAGES[:4]:
        # Alone or beside others, an engine rounds sums in another order; JSON has seven digits of a float32.
        assert SAME[way](service, image) == pytest.approx(from_store(service, image), rel=1e-4)


def test_other_images_get_other_answers(service: Service) -> None:
    """What the tests here would miss if the network said about the same of everything."""
    answers = [from_store(service, image) for image in IMAGES[:4]]
    for number, answer in enumerate(answers):
        for other in answers[:number]:
            assert max(abs(answer[label] - other[label]) for label in answer) > 0.08


LIKE: dict[str, tuple[Callable[[Grey], bytes], float]] = {
    "JPEG": (lambda x: file_of(Image.fromarray(x), "JPEG", quality=95), 0.03),
    "dark on grey": (lambda x: file_of(Image.fromarray(np.rint(200 * (1 - x / 255)).astype(np.uint8))), 0.03),
    "dark on darker grey": (lambda x: file_of(Image.fromarray(np.rint(120 * (1 - x / 255)).astype(np.uint8))), 0.03),
}
"""Ways that can't keep every byte, and by how much the probabilities of this random network may differ."""


@pytest.mark.parametrize("way", LIKE)
def test_what_cannot_be_the_same_to_the_bit_gets_about_the_same_answer(service: Service, way: str) -> None:
    make, tolerance = LIKE[way]
    for image in IMAGES[:4]:
        assert picture(service, make(image)) == pytest.approx(from_store(service, image), abs=tolerance)


WARNED = {
    "nothing to see": np.zeros((28, 28), np.uint8),
    "a negative": 255 - IMAGES[0],
    "hardly any contrast": IMAGES[0] // 25,
    "noise": np.random.default_rng(0).integers(0, 256, (28, 28), dtype=np.uint8),
}


@pytest.mark.parametrize("image", WARNED.values(), ids=WARNED.keys())
def test_an_image_unlike_the_training_images_is_warned_of_everywhere(service: Service, image: Grey) -> None:
    answer = service.http.post(PREDICT, json={"pixels": [IMAGES[1].tolist(), image.tolist()]}).json()
    assert [bool(texts) for texts in answer["warnings"]] == [False, True]
    with pytest.warns(UnlikeTraining, match="image 0: the image is"):
        client(service, image)
    sent = {"name": "pixels", "shape": [1, 1, 28, 28], "datatype": "UINT8", "data": image.ravel().tolist()}
    inferred = service.http.post(INFER, json={"inputs": [sent]}).json()
    assert inferred["parameters"]["warnings"] == "; ".join(answer["warnings"][1])


REFUSED: dict[str, Any] = {
    "floats up to 1": {"pixels": (IMAGES[0] / 255).tolist()},
    "0 and 1": {"pixels": (IMAGES[0] > 99).astype(int).tolist()},
    "more than the scale": {"pixels": IMAGES[0].tolist(), "scale": 1},
}


@pytest.mark.parametrize("body", REFUSED.values(), ids=REFUSED.keys())
def test_numbers_on_another_scale_are_refused_in_one_line(service: Service, body: dict[str, Any]) -> None:
    answer = service.http.post(PREDICT, json=body)
    assert answer.status_code == 422
    assert "\n" not in answer.json()["detail"]
