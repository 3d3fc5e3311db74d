"""The Open Inference Protocol as a public client speaks it."""

from collections.abc import Iterator

import httpx
import numpy as np
import onnxruntime
import pytest

from service.home import Home
from service.inference.predictor import Predictor
from service.registry import Registry
from tests.service.http.serving import serving

client = pytest.importorskip("tritonclient.http", reason="tritonclient is not installed")


@pytest.fixture(scope="module")
def triton(home: Home) -> Iterator[client.InferenceServerClient]:
    with serving(home) as http, client.InferenceServerClient(f"127.0.0.1:{http.base_url.port}") as connected:
        yield connected


def test_tritonclient_lists_models_and_reads_metadata(triton: client.InferenceServerClient) -> None:
    assert triton.is_server_live()
    assert triton.is_server_ready()
    assert triton.is_model_ready("lenet")
    assert triton.is_model_ready("lenet", "1")
    assert not triton.is_model_ready("nothing")
    assert triton.get_server_metadata()["name"] == "atelier"
    assert {model["name"] for model in triton.get_model_repository_index()} == {"lenet", "flat"}
    metadata = triton.get_model_metadata("lenet")
    assert metadata["inputs"] == [{"name": "pixels", "datatype": "FP32", "shape": [-1, 1, 28, 28]}]
    assert triton.get_model_config("lenet")["input"][0]["dims"] == [1, 28, 28]


@pytest.mark.parametrize("binary", [True, False])
@pytest.mark.parametrize("datatype", ["FP32", "UINT8"])
def test_tritonclient_infers_what_the_model_says(
    home: Home, triton: client.InferenceServerClient, datatype: str, binary: bool
) -> None:
    images = np.random.default_rng(3).integers(0, 256, (7, 1, 28, 28), dtype=np.uint8)
    sent = images if datatype == "UINT8" else images.astype(np.float32) / np.float32(255)
    given = client.InferInput("pixels", list(sent.shape), datatype)
    given.set_data_from_numpy(sent, binary_data=binary)
    outputs = [client.InferRequestedOutput(name, binary_data=binary) for name in ("logits", "probabilities")]
    result = triton.infer("lenet", [given], outputs=outputs, request_id="42")
    expected = Predictor(Registry(home.models).get("lenet")).logits(images)
    # Float32 in JSON keeps every bit; the same engine computed both.
    np.testing.assert_allclose(result.as_numpy("logits"), expected, rtol=1e-6)
    np.testing.assert_allclose(result.as_numpy("probabilities").sum(axis=1), 1, rtol=1e-5)
    assert result.get_response()["id"] == "42"
    assert triton.infer("lenet", [given]).as_numpy("logits").shape == (7, 10)


@pytest.mark.parametrize("algorithm", ["gzip", "deflate"])
def test_tritonclient_may_compress_its_requests(triton: client.InferenceServerClient, algorithm: str) -> None:
    images = np.random.default_rng(5).integers(0, 256, (3, 1, 28, 28), dtype=np.uint8)
    given = client.InferInput("pixels", list(images.shape), "UINT8")
    given.set_data_from_numpy(images)
    plain = triton.infer("lenet", [given]).as_numpy("logits")
    packed = triton.infer("lenet", [given], request_compression_algorithm=algorithm).as_numpy("logits")
    np.testing.assert_array_equal(packed, plain)


def test_pixels_between_bytes_are_not_rounded(home: Home, http: httpx.Client) -> None:
    x = np.random.default_rng(4).random((2, 1, 28, 28), np.float32)
    body = {"inputs": [{"name": "pixels", "shape": list(x.shape), "datatype": "FP32", "data": x.ravel().tolist()}]}
    answer = http.post("/v2/models/lenet/infer", json=body).json()
    session = onnxruntime.InferenceSession(Registry(home.models).get("lenet").read_file("model.onnx"))
    (expected,) = session.run(["logits"], {"pixels": x})
    # Sums of at most 400 float32 products, in another order.
    np.testing.assert_allclose(np.reshape(answer["outputs"][0]["data"], (2, 10)), expected, rtol=1e-4, atol=2e-5)


def test_the_errors_of_tritonclient_are_ours(triton: client.InferenceServerClient) -> None:
    with pytest.raises(client.InferenceServerException, match="no version"):
        triton.get_model_metadata("nothing")
    wrong = client.InferInput("pixels", [1, 1, 27, 28], "FP32")
    wrong.set_data_from_numpy(np.ones((1, 1, 27, 28), np.float32))
    with pytest.raises(client.InferenceServerException, match="shape must be"):
        triton.infer("lenet", [wrong])
