"""A trained LeNet and all 10,000 test images: our engines, onnxruntime and PyTorch say the same."""

import numpy as np
import onnxruntime
import pytest

from ops.engines import Choice, build
from service.config import from_preset
from service.data import ingest, read
from service.errors import DataError
from service.home import Home
from service.registry.exports.onnx import onnx_model
from service.registry.exports.weights import as_tensors
from service.rounds.job import Job
from tests.jobs import serial_results


@pytest.mark.peers
@pytest.mark.slow
def test_all_engines_and_exports_agree_on_every_test_image(home: Home, record_property):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    nn = torch.nn
    home.prepare()
    try:
        data = ingest(home)
    except DataError as error:
        pytest.skip(f"the real data can't be had here: {error}")
    job = Job(from_preset({"epochs": 3, "averaging": {"shards": 1}}), data, Choice("simd", "cpu"))
    *_, trained = serial_results(job)
    theta, network = trained.state.replica.theta, job.network
    images, labels = read(data.path, "test", data.digest)
    pixels = images[:, None].astype(np.float32) / np.float32(255)

    module = nn.Sequential(
        nn.Conv2d(1, 6, 5, padding=2), nn.Sigmoid(), nn.AvgPool2d(2),
        nn.Conv2d(6, 16, 5), nn.Sigmoid(), nn.AvgPool2d(2), nn.Flatten(),
        nn.Linear(400, 120), nn.Sigmoid(), nn.Linear(120, 84), nn.Sigmoid(), nn.Linear(84, 10),
    )  # fmt: skip
    tensors = (torch.from_numpy(tensor) for tensor in as_tensors(network, theta).values())
    module.load_state_dict(dict(zip(module.state_dict(), tensors, strict=True)))
    session = onnxruntime.InferenceSession(onnx_model(network, theta), providers=["CPUExecutionProvider"])
    with torch.no_grad():
        logits = {"pytorch": module(torch.from_numpy(pixels)).numpy()}
    (logits["onnxruntime"],) = session.run(["logits"], {"pixels": pixels})
    for engine in ("array", "simd"):
        logits[engine] = build(Choice(engine, "cpu"), network, job.step_config).predict(theta, images)

    expected = logits.pop("pytorch")
    assert (expected.argmax(axis=1) == labels).mean() > 0.3  # trained: guessing gets a tenth
    for name, ours in logits.items():
        record_property(f"{name} largest difference", float(np.abs(ours - expected).max()))
        # sums of at most 400 float32 products, in orders of their own
        np.testing.assert_allclose(ours, expected, rtol=1e-4, atol=5e-5, err_msg=name)
        np.testing.assert_array_equal(ours.argmax(axis=1), expected.argmax(axis=1), err_msg=name)
