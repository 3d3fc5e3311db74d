"""Runs at a real MLflow server; `ATELIER_TEST_MLFLOW` names its program where it isn't in the same environment."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from service.errors import AtelierError, InvalidInput
from service.home import Home
from service.tracking import mlflow
from service.tracking.base import TrackedRun
from service.tracking.feed import Feed
from service.tracking.figures import figures_of
from tests.clusters import free_port
from tests.service.tracking.runs import cut, grow, published_run

PROGRAM = os.environ.get("ATELIER_TEST_MLFLOW") or shutil.which("mlflow", path=str(Path(sys.executable).parent))

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("default")]  # MLflow's own warnings are its own affair

entities = pytest.importorskip("mlflow.entities", reason="MLflow is not installed")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a server of our own."""
    if PROGRAM is None:
        pytest.skip("MLflow's server is not installed")
    folder = tmp_path_factory.mktemp("mlflow")
    port = free_port()
    store = ["--backend-store-uri", f"sqlite:///{folder}/mlflow.db", "--artifacts-destination", str(folder / "files")]
    command = [PROGRAM, "server", *store, "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log, start_new_session=True)
    address = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + 200
        while True:
            try:
                if httpx.get(f"{address}/health", timeout=5, trust_env=False).status_code == 200:
                    break
            except httpx.HTTPError:
                pass
            assert process.poll() is None, (folder / "log").read_text()
            assert time.monotonic() < deadline
            time.sleep(0.2)
        yield address
    finally:
        os.killpg(process.pid, 9)
        process.wait()


@pytest.fixture
def client(server: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A client of the server, which the environment names."""
    from mlflow import MlflowClient

    monkeypatch.setenv("MLFLOW_TRACKING_URI", server)
    return MlflowClient(server)


def test_a_run_that_was_resumed_is_one_run_with_every_figure_once_and_its_model(
    home: Home, tmp_path: Path, client: Any, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "resumed")
    mlflow.check()
    whole, model = published_run(home, tmp_path / "idx", holdout=60)
    folder = cut(whole, 4)
    assert Feed("mlflow", mlflow, TrackedRun(folder, home.root)).step(None, "interrupted")
    (experiment,) = client.search_experiments(filter_string="name = 'resumed'")
    (run,) = client.search_runs([experiment.experiment_id])
    assert run.info.status == "KILLED"

    grow(folder, whole)
    shutil.rmtree(folder.path / "tracking")  # as on another machine: everything is sent again
    assert Feed("mlflow", mlflow, TrackedRun(folder, home.root)).step(model, "finished")
    (run,) = client.search_runs([experiment.experiment_id])
    assert (run.info.status, run.info.run_name) == ("FINISHED", "the-run")
    assert run.data.params["optimizer.lr"] == "0.2"
    assert run.data.tags["atelier.digest"] == model.lineage["parameters"]
    assert run.data.tags["atelier.data_digest"] == whole.facts()["data"]["digest"]
    assert run.inputs.dataset_inputs[0].dataset.name == "blobs"
    figures = [figure for entry in whole.entries() for figure in figures_of(entry)]
    for name in {figure.name for figure in figures}:
        found = client.get_metric_history(run.info.run_id, name)
        assert sorted((m.step, m.value) for m in found) == [(f.step, f.value) for f in figures if f.name == name]
    files = {f.path for part in ("model", "plots", "run") for f in client.list_artifacts(run.info.run_id, part)}
    assert {"model/MLmodel", "model/model.onnx", "plots/confusion.png", "run/rounds.jsonl"} <= files


def test_mlflow_loads_the_model_and_it_answers(home: Home, tmp_path: Path, client: Any):
    flavor = pytest.importorskip("mlflow.onnx", reason="MLflow's flavors need pandas")
    onnxruntime = pytest.importorskip("onnxruntime")
    folder, model = published_run(home, tmp_path / "idx")
    feed = Feed("mlflow", mlflow, TrackedRun(folder, home.root))
    assert feed.step(model, "finished"), feed.problem
    run = client.search_runs([client.get_experiment_by_name("atelier").experiment_id])[0].info.run_id
    loaded = flavor.load_model(f"runs:/{run}/model")
    session = onnxruntime.InferenceSession(loaded.SerializeToString())
    pixels = np.random.default_rng(0).random((3, 1, 12, 12), np.float32)
    alone = onnxruntime.InferenceSession(model.read_file("model.onnx")).run(None, {"pixels": pixels})
    assert np.array_equal(session.run(None, {"pixels": pixels})[0], alone[0])


def test_a_run_begins_only_where_the_server_answers(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    with pytest.raises(InvalidInput, match="needs MLFLOW_TRACKING_URI"):
        mlflow.check()
    port = free_port()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{port}")
    with pytest.raises(AtelierError, match=r"^no MLflow server answers at http://127\.0\.0\.1:\d+ .*leave out --track"):
        mlflow.check()
