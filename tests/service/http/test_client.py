from pathlib import Path

import httpx
import numpy as np
import pytest

from service.client import Atelier
from service.errors import AtelierError, InvalidInput, NotFound
from service.home import Home
from service.inference.predictor import Predictor
from service.registry import Registry
from tests.service.http.conftest import TOKEN


@pytest.fixture
def atelier(http: httpx.Client) -> Atelier:
    return Atelier(str(http.base_url), token=TOKEN)


def test_the_client_finds_asks_and_downloads(home: Home, atelier: Atelier, tmp_path: Path) -> None:
    image = np.random.default_rng(9).integers(0, 256, (28, 28), dtype=np.uint8)
    with atelier:
        assert [model.name for model in atelier.models(tag="small")] == ["lenet"]
        model = Registry(home.models).get("lenet")
        here = Predictor(model).guesses(image[None], 2)[0]
        there = atelier.predict("lenet:1", image, top=2)
        assert [guess.label for guess in there] == [guess.label for guess in here]
        path = atelier.download("lenet", "model.onnx", tmp_path / "model.onnx")
        assert path.read_bytes() == model.read_file("model.onnx")
        atelier.set_alias("lenet", "tried", 1)
        assert atelier.model("lenet:tried").version == 1
        atelier.remove_alias("lenet", "tried")
        with pytest.raises(NotFound):
            atelier.model("lenet:tried")
        assert atelier.runs()[0]["status"] == "finished"


def test_the_errors_of_the_service_are_raised_in_one_line(atelier: Atelier) -> None:
    with atelier:
        with pytest.raises(NotFound, match="no version"):
            atelier.model("nothing")
        with pytest.raises(InvalidInput, match="28 rows"):
            atelier.predict("lenet", np.ones((27, 28), np.uint8))
    with Atelier("http://127.0.0.1:9") as nobody, pytest.raises(AtelierError, match="can't be reached"):
        nobody.runs()
