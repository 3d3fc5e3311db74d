"""Every example of docs/extending.md does what the page says."""

import asyncio
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import click
import httpx
import numpy as np
import pytest
from fastapi import FastAPI
from pydantic import ValidationError

import ops
import service
from ops.engines import choose, table
from ops.zoo import registry
from service.cli.options import options_of
from service.data import formats, ingest, read
from service.errors import DataError
from service.home import Home
from service.rounds.strategies import names
from service.rounds.tasks import shard_updates
from service.runs import checkpoints
from service.runs.checkpoints import Checkpoint
from service.tracking.base import TrackedRun
from service.tracking.feed import Feed
from service.tracking.figures import figures_of
from service.tracking.registry import find
from tests.jobs import serial_results, small_job
from tests.packages import install
from tests.service.tracking.runs import published_run

PAGE = (Path(__file__).parents[2] / "docs" / "extending.md").read_text()


def examples(title: str, language: str) -> list[str]:
    """The code blocks in one language in the section of that title."""
    (section,) = re.findall(rf"^## {re.escape(title)}\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL)
    return re.findall(rf"^```{language}\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)


def test_a_strategy_takes_one_file(home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (source,), (project,) = (examples("A strategy of averaging", language) for language in ("python", "toml"))
    (group,) = tomllib.loads(project)["project"]["entry-points"]
    install(tmp_path, monkeypatch, "fedadam", source, {group: {"fedadam": "fedadam:from_config"}})
    assert "fedadam" in names()

    job = small_job(home, tmp_path / "idx", averaging={"strategy": "fedadam", "outer_lr": 0.05}, epochs=1)
    state = job.initial_state()
    theta = state.replica.theta.astype(np.float64)
    m = v = np.zeros_like(theta)
    results = list(serial_results(job))
    assert len(results) == 3
    for result in results:
        updates = shard_updates(job, result.round, range(3), state)
        mean = np.average([u.replica.theta for u in updates], axis=0, weights=[u.stats.examples for u in updates])
        m, v = 0.9 * m + 0.1 * (mean - theta), 0.99 * v + 0.01 * (mean - theta) ** 2
        theta = theta + 0.05 * m / (np.sqrt(v) + 1e-3)
        assert result.state is not None
        # one rounding to float32 of the parameters, and of m and v, after each round
        np.testing.assert_allclose(result.state.replica.theta, theta, rtol=1e-5, atol=1e-6)
        state = result.state
        theta = state.replica.theta.astype(np.float64)

    checkpoints.write(tmp_path / "checkpoints", Checkpoint(results[-1].round, 300, state))
    number = str(results[-1].round.number + 1)
    np.testing.assert_array_equal(checkpoints.read(tmp_path / "checkpoints" / number).state.outer, state.outer)


TRAINING = """
import numpy as np, ops
from ops.engines import build, choose
from ops.engines.base import Replica, Steps

network = ops.Network("mine", (1, 6, 6), (ops.Flatten(), ops.Dense(5), ops.layers.Softsign(), ops.Dense(3)))
images = np.random.default_rng(0).integers(0, 256, (9, 6, 6)).astype(np.uint8)
start = Replica(network.init_parameters(0), np.zeros(network.num_parameters, np.float32))
plan = Steps(np.arange(9, dtype=np.int32), np.array([0, 4, 9], np.int32), np.full(2, 0.5, np.float32))
for name in ("array", "auto"):
    choice = choose(network, ops.StepConfig(), engine=name, device="cpu")
    engine = build(choice, network, ops.StepConfig())
    result = engine.run(start, engine.load(images, images[:, 0, 0] % 3), plan)
    print(engine.name, choice.why, result.loss, *result.replica.theta[:40])
"""


def trained_with(folder: Path) -> list[list[str]]:
    """What the training above prints, line by line, with the copy of the package in a folder."""
    environment = {**os.environ, "PYTHONPATH": str(folder), "ATELIER_CACHE": str(folder / "cache")}
    command = [sys.executable, "-c", TRAINING]
    done = subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return [line.rsplit(maxsplit=41) for line in done.stdout.splitlines()]


def test_a_layer_takes_one_file_and_one_more_for_its_kernels(tmp_path: Path):
    layer, kernels, _ = examples("A layer", "python")
    package = tmp_path / "ops"
    shutil.copytree(Path(ops.__file__).parent, package, ignore=shutil.ignore_patterns("__pycache__"))

    (package / "layers" / "softsign.py").write_text(layer)
    expected, fallback = trained_with(tmp_path)
    assert expected[0] == "array"
    assert fallback == ["array engine 'simd' has no kernels for softsign1 (Softsign)", *expected[1:]]

    (package / "engines" / "simd" / "kernels" / "softsign.py").write_text(kernels)
    again, vectors = trained_with(tmp_path)
    assert again == expected
    assert vectors[0] == "simd"
    # rounding: two steps of sums of some ten numbers in another order
    np.testing.assert_allclose(np.float64(vectors[1:]), np.float64(expected[1:]), rtol=0, atol=1e-5)


def test_its_mapping_to_onnx_takes_one_function(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    onnxruntime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    from ops.layers import base
    from service.registry.exports import onnx, onnx_graph

    monkeypatch.setattr(base, "_KINDS", dict(base._KINDS))
    monkeypatch.setattr(onnx_graph, "MAPPINGS", dict(onnx_graph.MAPPINGS))
    layer, _, mapping = examples("A layer", "python")
    install(tmp_path, monkeypatch, "softsign", layer, {})
    exec(mapping.replace("ops.layers.softsign", "softsign"), {})  # as part of onnx.py

    network = ops.Network("mine", (1, 6, 6), (ops.Flatten(), ops.Dense(5), base.find("softsign")(), ops.Dense(3)))
    theta = network.init_parameters(0)
    session = onnxruntime.InferenceSession(onnx.onnx_model(network, theta), providers=["CPUExecutionProvider"])
    x = np.random.default_rng(0).uniform(size=(4, 1, 6, 6)).astype(np.float32)
    (w1, b1), (w2, b2) = ((own["weight"], own["bias"]) for own in network.parameters(theta) if own)
    hidden = ops.dense(x.reshape(4, 36), w1, b1)
    logits = ops.dense(hidden / (1 + abs(hidden)), w2, b2)
    np.testing.assert_allclose(session.run(["logits"], {"pixels": x})[0], logits, rtol=1e-5, atol=1e-6)
    sys.modules.pop("softsign")


def test_a_network_takes_one_function(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(registry, "_NETWORKS", dict(registry._NETWORKS))
    monkeypatch.setattr(registry, "ZOO", registry._NETWORKS)
    (source,) = examples("A network", "python")
    exec(source, {"__name__": "mine"})
    network = ops.network("small", (1, 28, 28), 10)
    assert network.shapes[1:] == ((8, 28, 28), (8, 28, 28), (8, 7, 7), (392,), (10,))
    assert choose(network, ops.StepConfig(), device="cpu").engine == "simd"


def test_an_engine_takes_one_file_and_an_entry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (engine, contract), (project,) = (examples("An engine", language) for language in ("python", "toml"))
    (group,) = tomllib.loads(project)["project"]["entry-points"]
    install(tmp_path, monkeypatch, "timed", engine, {group: {"timed": "timed:TimedEngine"}})
    (tmp_path / "test_timed.py").write_text(contract.replace("my_package.", ""))
    table._entries.cache_clear()
    try:
        assert choose(ops.network("mlp", (1, 28, 28), 10), ops.StepConfig(), device="cpu").engine == "simd"
        alexnet = ops.network("alexnet", (1, 224, 224), 10)
        assert choose(alexnet, ops.StepConfig(), device="cpu").engine == "timed"
    finally:
        table._entries.cache_clear()
        sys.modules.pop("timed", None)

    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path / "test_timed.py")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join((str(tmp_path), str(Path(ops.__file__).parents[1])))}
    done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert re.search(r"(\d+) passed", done.stdout)


def test_a_picture_format_takes_one_file(home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (source,), (project,) = (examples("A picture format", language) for language in ("python", "toml"))
    (group,) = tomllib.loads(project)["project"]["entry-points"]
    install(tmp_path, monkeypatch, "npy", source, {group: {"npy": "npy"}})
    assert "npy" in formats.names()
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (30, 7, 5), np.uint8)
    labels = np.arange(30, dtype=np.uint8) % 4

    def save(folder: Path, **arrays: np.ndarray) -> Path:
        folder.mkdir()
        for name, array in arrays.items():
            np.save(folder / name, array)
        return folder

    rest = {"y_train": labels[:20], "x_test": images[20:], "y_test": labels[20:]}
    info = ingest(home, dataset="mine", source=save(tmp_path / "whole", x_train=images[:20], **rest))
    assert (info.train, info.test, info.image_shape, info.class_names) == (20, 10, (7, 5), ("0", "1", "2", "3"))
    np.testing.assert_array_equal(read(info.path, "test", info.digest)[0], images[20:])
    with pytest.raises(DataError, match=r"has no \.npy files of images"):
        ingest(home, dataset="broken", source=save(tmp_path / "broken", x_train=images))
    floats = save(tmp_path / "floats", x_train=images[:20] / 255, **rest)
    with pytest.raises(DataError, match=r"training images must be \(N, h, w\) or .* uint8, got .* float64"):
        ingest(home, dataset="floats", source=floats)


def test_a_tracker_takes_one_file(home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (source,), (project,) = (examples("A tracker", language) for language in ("python", "toml"))
    (group,) = tomllib.loads(project)["project"]["entry-points"]
    install(tmp_path, monkeypatch, "accuracies", source, {group: {"accuracies": "accuracies"}})
    folder, model = published_run(home, tmp_path / "idx", holdout=60)
    assert Feed("accuracies", find("accuracies"), TrackedRun(folder, home.root)).step(model, "finished")
    lines = (folder.path / "accuracies.csv").read_text().splitlines()
    figures = [figure for entry in folder.entries() for figure in figures_of(entry)]
    wanted = [f"{f.name},{f.step},{f.value}" for f in figures if f.name.startswith("accuracy/")]
    assert lines == wanted
    assert any(line.startswith("accuracy/validation,2,") for line in lines)


def test_a_route_takes_a_function_and_the_example_of_its_answer():
    (source,) = examples("A route", "python")
    namespace: dict[str, Any] = {}
    exec(source, namespace)
    app = FastAPI()
    app.include_router(namespace["router"])

    async def get(path: str) -> Any:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://server") as client:
            return (await client.get(path)).json()

    assert asyncio.run(get("/version")) == {"version": service.__version__}
    described = asyncio.run(get("/openapi.json"))["paths"]["/version"]["get"]["responses"]["200"]
    assert described["content"]["application/json"]["example"] == {"version": service.__version__}


def test_an_option_takes_one_field():
    (source,) = examples("An option of a training", "python")
    namespace: dict[str, Any] = {}
    exec(source, namespace)
    model = namespace["WithClipping"]
    command = options_of(model)(click.Command("train"))
    (option,) = [parameter for parameter in command.params if parameter.name == "clip_norm"]
    assert option.opts == ["--clip-norm"]
    assert model.model_json_schema()["properties"]["clip_norm"]["minimum"] == 0
    with pytest.raises(ValidationError):
        model(clip_norm=-1)
